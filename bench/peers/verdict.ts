/**
 * Verdict: RegisterOperation, ProvisioningSucceeded, CompleteOperation, each acknowledged when it is durable, spread over registries as in
 * W1. In process on a SQLite file, or through the SDK's door against a `verdict serve` of its own; both with their defaults.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as elapsed } from 'node:timers/promises'
import { openNode } from '../../src/app.ts'
import type { RegistryAddress } from '../../src/authority/questions.ts'
import type { VerdictDoor } from '../../src/client/door.ts'
import { benchDoor } from '../http.ts'
import { versionOf } from '../report.ts'
import { REGISTRIES } from '../w1-load.ts'
import { type Lane, PAYLOAD, type Peer } from './peer.ts'

const MAIN = path.resolve(import.meta.dirname, '../../src/cli/main.ts')
const VERSIONS = { verdict: versionOf('verdict'), 'better-sqlite3': versionOf('better-sqlite3') }
const SETTINGS = { log: 'SQLite, write-ahead log, synchronous FULL', registries: String(REGISTRIES) }

export async function verdictPeer(): Promise<Peer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-'))
  const { door } = await openNode(path.join(folder, 'verdict.db'))
  return peerOf(door, {}, async () => {
    await door.close()
    rmSync(folder, { recursive: true, force: true })
  })
}

export async function verdictBySdkPeer(): Promise<Peer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-'))
  const server = spawn(process.execPath, [MAIN, 'serve', '--data', folder, '--port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string]
  const door = benchDoor((JSON.parse(line) as { readonly url: string }).url)
  return peerOf(door, { connection: 'HTTP on 127.0.0.1' }, async () => {
    await door.close()
    await ended(server)
    rmSync(folder, { recursive: true, force: true })
  })
}

function peerOf(door: VerdictDoor, settings: Readonly<Record<string, string>>, stop: () => Promise<void>): Peer {
  let lanes = 0
  return {
    versions: VERSIONS,
    settings: { ...settings, ...SETTINGS },
    async w1Lane() {
      const { next, ...lane } = openLane(door, `lane-${++lanes}`)
      return {
        ...lane,
        async operation() {
          const { complete } = await next()
          await complete()
        },
      }
    },
    async waitLane(_, workMs) {
      const { next, ...lane } = openLane(door, `lane-${++lanes}`)
      return {
        ...lane,
        async operation() {
          const { registry, id, complete } = await next()
          const known = door.outcome(registry, id).then(() => performance.now())
          if (workMs > 0) await elapsed(workMs)
          const at = performance.now()
          const [knownAt] = await Promise.all([known, complete()])
          return knownAt - at
        },
      }
    },
    stop,
  }
}

interface Running {
  readonly registry: RegistryAddress
  readonly id: string
  complete(): Promise<unknown>
}

interface OpenLane extends Omit<Lane<void>, 'operation'> {
  /** One that was registered and started. */
  next(): Promise<Running>
}

function openLane(door: VerdictDoor, workspace: string): OpenLane {
  const registries = Array.from({ length: REGISTRIES }, (_, i) => ({ workspace, owner: `owner-${i}` }))
  let begun = 0
  return {
    async next() {
      const number = begun++
      const registry = registries[number % REGISTRIES] as RegistryAddress
      const id = `operation-${number}`
      const send = async (command: Readonly<Record<string, unknown>>) => {
        const result = await door.send(registry, command)
        if (result.type === 'refused') throw new Error(result.rejection.message)
        return result.answer
      }
      await send({ type: 'RegisterOperation', id, kind: 'bench', input: PAYLOAD })
      const { leaseEpoch } = await send({ type: 'ProvisioningSucceeded', id })
      return { registry, id, complete: () => send({ type: 'CompleteOperation', id, leaseEpoch, result: PAYLOAD }) }
    },
    async endedCount() {
      // Each end in a registry has the next number.
      const overviews = await Promise.all(registries.map((registry) => door.overview(registry)))
      return overviews.reduce((sum, { watermark }) => sum + watermark, 0)
    },
    close: async () => {},
  }
}

async function ended(server: ChildProcess): Promise<void> {
  const gone = once(server, 'exit')
  server.kill('SIGTERM')
  await gone
}
