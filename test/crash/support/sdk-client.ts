/** The SDK over a server that dies: functions that run as operations, their outcomes, waits for several, and the live events. */
import { setTimeout as delay } from 'node:timers/promises'
import { connectVerdict } from '../../../src/client/connect.ts'
import type { Verdict } from '../../../src/client/verdict.ts'
import { endingText } from '../../nodes/support/observations.ts'
import { RecordingLog } from '../../support/recording-log.ts'
import { type ClientParts, OWNERS, WORKSPACE } from './plain-client.ts'

/** The address that the SDK knows; where the server really is, is looked up for each request. */
const ADDRESS = 'http://verdict.invalid'
const AT_ONCE = 3
/** How often it is looked whether there is a server again. */
const LOOK_MS = 10

export class SdkClient {
  readonly #parts: ClientParts
  readonly #verdict: Verdict
  #made = 0

  constructor(parts: ClientParts) {
    this.#parts = parts
    const { server, gone } = parts
    this.#verdict = connectVerdict(ADDRESS, {
      workspace: WORKSPACE,
      log: new RecordingLog(),
      startWithin: '10m',
      answerWithin: '10m',
      // Only what is lost on its way makes it rest: a second, two, four, and so on up to thirty.
      fetch: async (input, init) => {
        const signal = init?.signal ? AbortSignal.any([gone, init.signal]) : gone
        while (server.url === undefined) await delay(LOOK_MS, undefined, { signal })
        return fetch(String(input).replace(ADDRESS, server.url), init)
      },
    })
  }

  /** Ends when it was told to stop and has finished. */
  async work(): Promise<void> {
    const { stopping, random, told } = this.#parts
    while (!stopping.aborted) {
      const owner = OWNERS[Math.floor(random() * OWNERS.length)] ?? ''
      const ids = Array.from({ length: AT_ONCE }, () => `${this.#parts.name}-${this.#made++}`)
      const handles = await Promise.all(ids.map((id) => this.#start(owner, id)))
      const outcomes = await this.#verdict.waitAll(handles)
      outcomes.forEach((outcome, i) => {
        told.ends.push({ owner, id: ids[i] ?? '', ending: endingText(outcome), by: 'SDK' })
      })
    }
  }

  /** Every event of the workspace, until all is given up. */
  async follow(): Promise<void> {
    const { gone, told } = this.#parts
    try {
      for await (const { id, type } of this.#verdict.events({ signal: gone })) {
        told.event({ position: BigInt(id), type })
      }
    } catch (error) {
      if (!gone.aborted) throw error
    }
  }

  close(): Promise<void> {
    return this.#verdict.close({ grace: 0 })
  }

  #start(owner: string, id: string) {
    const fails = this.#parts.random() < 0.3
    return this.#verdict.start('crash', { owner, id }, async ({ progress, phase }) => {
      progress({ processed: 1, total: 2 })
      await phase('half', async () => 'done')
      if (fails) throw new Error(`${id} failed`)
      return { by: id }
    })
  }
}
