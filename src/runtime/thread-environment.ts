/** The environment that the threads of this process are started with. */
import module from 'node:module'
import { dirname } from 'node:path'

/**
 * Where this process keeps compiled code between starts, its threads do as well, in the same folder: a thread begins without one, and
 * would compile again what is kept. Else undefined, for the environment of the process: to keep anything is for whoever starts it.
 */
export function threadEnvironment(): NodeJS.ProcessEnv | undefined {
  // The variable names the folder of all versions of Node; this is the one of ours in it.
  const ofThisVersion = module.getCompileCacheDir?.()
  return ofThisVersion === undefined ? undefined : { ...process.env, NODE_COMPILE_CACHE: dirname(ofThisVersion) }
}
