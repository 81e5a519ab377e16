/** Loaded into a program by `NODE_OPTIONS=--import`: each of its threads puts on record where it keeps compiled code. */
import { appendFileSync } from 'node:fs'
import module from 'node:module'
import { isMainThread } from 'node:worker_threads'

const { TOLD_COMPILED_CODE: told } = process.env
if (!isMainThread && told !== undefined) appendFileSync(told, `${module.getCompileCacheDir() ?? 'nowhere'}\n`)
