/** Threads of a node that read its log: each is a module of this folder, started with what it is to do. */
import { Worker } from 'node:worker_threads'
import { threadEnvironment } from '../runtime/thread-environment.ts'
import type { LogPlace } from '../subscriptions/thread-data.ts'

/** Modules are named as they lie beside this one, in the sources and in the built package. */
export const SOURCE_EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js'

/** By the module's name, without its extension; `name` is what the thread is called. A port in `data` goes over to it. */
export function startThread(module: string, name: string, data: { readonly log: LogPlace }): Worker {
  return new Worker(new URL(`./${module}.${SOURCE_EXTENSION}`, import.meta.url), {
    workerData: data,
    transferList: data.log.type === 'port' ? [data.log.port] : [],
    name,
    execArgv: [],
    env: threadEnvironment(),
  })
}
