/**
 * Word of appends, others' and our own: one subscription to the whole log for every follower and watcher of this store. It
 * only says that there is something; what there is, they read. So what a subscription may get wrong (silence, a gap, the
 * order of its marks) costs time, never an event.
 *
 *     subscribe --confirmed--> live --error, end, silence--> back off (1 s, 2 s, ... 30 s) --> subscribe from where it was
 *
 * A subscription never resumes by itself, and on a node that lost the others it falls silent without an error. Sign of
 * life: every so often the leader is asked what stands behind the last notice; what it knows must have been noticed by the
 * next time.
 */
import type { Advance, LogHealth } from './event-store.ts'
import { type Connection, openSubscription } from './eventstoredb-connection.ts'
import { BackOff } from './eventstoredb-deadline.ts'
import { messageOf } from './eventstoredb-errors.ts'
import { type Notice, noticeOf } from './eventstoredb-notice.ts'
import type { Reads } from './eventstoredb-reads.ts'

export interface NoticesOptions {
  readonly connection: Connection
  readonly reads: Reads
  readonly confirmMs: number
  readonly backOffMs: number
  readonly backOffMsMax: number
  readonly signOfLifeMs: number
  readonly random: () => number
  readonly now: () => number
  readonly closing: AbortSignal
  readonly tell: (advance: Advance) => void
  /** There may be something to read. */
  readonly wake: () => void
}

/** Everything but the server's own streams. */
const EVERY_STREAM_OF_PEOPLE = '^[^$]'

export class Notices {
  readonly #options: NoticesOptions
  readonly #backOff: BackOff
  #position: bigint | undefined
  #looks = 0
  #trouble: LogHealth | undefined
  /** What the leader knew at the last sign of life. */
  #owed: bigint | undefined
  #drop: ((why: string) => void) | undefined
  #isLive = false
  #wasLive = false

  constructor(options: NoticesOptions) {
    this.#options = options
    this.#backOff = new BackOff(options.backOffMs, options.backOffMsMax, options.random)
  }

  /** Everything up to here was noticed. */
  get position(): bigint {
    return this.#position ?? 0n
  }

  /** Raised whenever followers must look for themselves, whatever was noticed. */
  get looks(): number {
    return this.#looks
  }

  get health(): LogHealth {
    return this.#trouble ?? { status: 'ok' }
  }

  /** Returns once the first subscription is live: what is appended from then on is noticed. Throws when it can't be had. */
  async start(after: bigint | undefined): Promise<void> {
    this.#position = after
    await new Promise<void>((resolve, reject) => {
      let isLive = false
      void this.#run(
        () => {
          isLive = true
          resolve()
        },
        (error) => {
          if (!isLive) reject(error)
          return isLive
        },
      )
    })
    void this.#watchOver()
  }

  async #run(onLive: () => void, goesOnAfter: (error: unknown) => boolean): Promise<void> {
    const { connection, closing, now, tell } = this.#options
    while (!closing.aborted) {
      const { client } = connection
      try {
        await this.#subscribe(client, () => {
          this.#backOff.reset()
          // What was appended in between is still to come, but nobody can say that for sure.
          if (this.#wasLive) tell({ type: 'unsure' })
          this.#wasLive = true
          this.#isLive = true
          this.#trouble = undefined
          this.#look()
          onLive()
        })
      } catch (error) {
        if (closing.aborted || !goesOnAfter(error)) return
        const message = `No word of others' appends: ${messageOf(error)}. Looking for a node again.`
        this.#trouble ??= { status: 'unavailable', message, since: now() }
        connection.replace(client)
      }
      await this.#backOff.wait(closing)
    }
  }

  /** Rejects when the subscription is lost; resolves when the log is closed. */
  #subscribe(client: Connection['client'], onLive: () => void): Promise<void> {
    const { closing, confirmMs, tell, wake } = this.#options
    const opening = openSubscription(client, this.#position, EVERY_STREAM_OF_PEOPLE, noticeOf)
    return new Promise<void>((resolve, reject) => {
      let isOver = false
      const over = (settle: () => void) => {
        if (isOver) return
        isOver = true
        this.#drop = undefined
        this.#isLive = false
        clearTimeout(timer)
        closing.removeEventListener('abort', close)
        // Cancelled in the turn in which it was begun, a call of this gRPC stays open (grpc-node issue 1652).
        opening.then((call) => setImmediate(() => call.cancel())).catch(() => undefined)
        settle()
      }
      const lose = (why: string) => over(() => reject(new Error(why)))
      const close = () => over(resolve)
      const timer = setTimeout(() => lose(`no subscription within ${confirmMs} ms`), confirmMs)
      this.#drop = lose
      closing.addEventListener('abort', close, { once: true })
      if (closing.aborted) close()
      const hear = (notice: Notice) => {
        if (isOver) return
        switch (notice.type) {
          case 'confirmed':
            clearTimeout(timer)
            onLive()
            return
          case 'checkpoint':
            this.#noticed(notice.position)
            return
          case 'appended':
            this.#noticed(notice.position)
            tell({ type: 'appended', stream: notice.stream, revision: notice.revision })
            wake()
            return
          case 'other':
            return
          default:
            notice satisfies never
        }
      }
      opening.then(
        (call) => {
          // The listener stays when the subscription is over: a late error without one would end the process.
          call.on('error', (error) => over(() => reject(error)))
          // A clean end says nothing either: nobody asked for it.
          for (const end of ['end', 'close'] as const) call.on(end, () => lose('the subscription ended'))
          call.on('data', hear)
        },
        (error) => over(() => reject(error)),
      )
    })
  }

  #noticed(position: bigint): void {
    if (this.#position === undefined || position > this.#position) this.#position = position
  }

  #look(): void {
    this.#looks++
    this.#options.wake()
  }

  async #watchOver(): Promise<void> {
    const { closing, reads, now, signOfLifeMs } = this.#options
    const pause = new BackOff(signOfLifeMs, signOfLifeMs, () => 1)
    while (!closing.aborted) {
      await pause.wait(closing)
      if (closing.aborted) return
      const owed = this.#owed
      if (owed !== undefined && owed > this.position) this.#drop?.('the subscription fell silent')
      this.#owed = undefined
      this.#look()
      try {
        const { events } = await reads.all(this.#position, undefined)
        this.#owed = events.at(-1)?.position
        if (this.#isLive) this.#trouble = undefined
      } catch (error) {
        if (closing.aborted) return
        const message = `The leader does not answer: ${messageOf(error)}`
        this.#trouble ??= { status: 'unavailable', message, since: now() }
      }
    }
  }
}
