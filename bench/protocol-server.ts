/**
 * The protocol server of the tests in a process of its own, so that what it costs is not taken from whoever is measured: the
 * ceiling of the client side where no EventStoreDB can be had. Everything stays in its memory. One that flushes also writes
 * what was appended to a file, and answers after an fdatasync, which all appends that wait for it share: the shape of a
 * server's commits, if not their whole price.
 *
 *     fork(this file) -> message: its address -> SIGTERM, or the end of whoever started it
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServerRecord } from '../test/support/eventstoredb-log.ts'
import { EventStoreDbServer } from '../test/support/eventstoredb-server.ts'

export interface ProtocolServer {
  readonly url: string
  stop(): Promise<void>
}

const FLUSHING = '--flushing'

export async function startProtocolServer(isFlushing: boolean): Promise<ProtocolServer> {
  const directory = mkdtempSync(join(tmpdir(), 'verdict-protocol-'))
  const child = fork(fileURLToPath(import.meta.url), isFlushing ? [FLUSHING, join(directory, 'chunk')] : [])
  const [url] = (await once(child, 'message')) as [string]
  return {
    url,
    async stop() {
      child.kill()
      await once(child, 'exit')
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

class Chunk {
  readonly #file: FileHandle
  #unwritten: Uint8Array[] = []
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(file: FileHandle) {
    this.#file = file
  }

  add({ data }: ServerRecord): void {
    this.#unwritten.push(data)
  }

  /** Ends when all that was added before this call is on disk: one flush runs, one is promised to all who come meanwhile. */
  flushed(): Promise<void> {
    if (this.#running === undefined) return this.#start()
    this.#next ??= this.#running.then(() => {
      this.#next = undefined
      return this.#start()
    })
    return this.#next
  }

  #start(): Promise<void> {
    const flushing = this.#flush().finally(() => {
      if (this.#running === flushing) this.#running = undefined
    })
    this.#running = flushing
    return flushing
  }

  async #flush(): Promise<void> {
    await this.#file.appendFile(Buffer.concat(this.#unwritten.splice(0)))
    await this.#file.datasync()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = new EventStoreDbServer()
  const [, , option, path] = process.argv
  if (option === FLUSHING && path !== undefined) {
    const chunk = new Chunk(await open(path, 'a'))
    server.log.onRecord((record) => chunk.add(record))
    // Each append meets the fault of being late: it is stored when it is asked what it waits for.
    server.appendFaults.shift = () => ({
      type: 'late',
      get until() {
        return chunk.flushed()
      },
    })
  }
  await server.start()
  process.on('disconnect', () => process.exit())
  process.send?.(server.url)
}
