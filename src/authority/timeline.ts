/**
 * One operation's life in time: when it stood in the queue, when which attempt and phase ran, and where nothing was heard of
 * it. What counts as silence is what its policy calls late or stale; no page has a threshold of its own.
 */
import { deadlinesOf } from './deadlines.ts'
import type { Claimant, LifecycleEvent, RecordedEvent } from './events.ts'
import type { Operation } from './operation.ts'
import { lifeAfter } from './operation-life.ts'
import type { RegistryAddress } from './questions.ts'
import { isTerminal, type PresentStatus, type Status } from './status.ts'

/** A stretch of time; it goes on where it has no end. Epoch ms. */
export interface Stretch {
  readonly fromAt: number
  readonly untilAt?: number
}

export interface AttemptStretch extends Stretch {
  readonly attempt: number
  readonly claimant?: Claimant
  /** `failed` and `lost` where another attempt followed or was to follow; else the status that it ended with. */
  readonly ending?: 'lost' | PresentStatus
}

export interface PhaseStretch extends Stretch {
  readonly phase: string
  readonly attempt: number
  /** `interrupted` where its attempt, or all of it, ended before. */
  readonly ending?: 'completed' | 'failed' | 'interrupted'
}

export interface Silence extends Stretch {
  readonly attempt: number
  readonly ms: number
  /** What its policy calls so long a silence. */
  readonly freshness: 'late' | 'likely_stale'
}

export interface TimelineMark {
  readonly at: number
  readonly type: LifecycleEvent['type']
  readonly revision: number
}

/** A move from one status to another, or the beginning of a next attempt where it stood. */
export interface TimelineStep {
  readonly from: Status
  readonly to: PresentStatus
  readonly event: LifecycleEvent['type']
  readonly at: number
  readonly revision: number
}

export interface Timeline {
  readonly fromAt: number
  /** Its end; or the moment up to which it is known. */
  readonly untilAt: number
  readonly isOver: boolean
  readonly queued: readonly Stretch[]
  readonly attempts: readonly AttemptStretch[]
  readonly phases: readonly PhaseStretch[]
  readonly silences: readonly Silence[]
  /** Times at which it was heard of, evenly thinned where there are too many. */
  readonly signs: readonly number[]
  readonly signsHeard: number
  /** The way that it took through the machine. */
  readonly steps: readonly TimelineStep[]
  /** What else happened to it. */
  readonly marks: readonly TimelineMark[]
}

export interface OperationTimeline extends Timeline, RegistryAddress {
  readonly id: string
  readonly number: number
  /** False where reading stopped before the end of a very long stream. */
  readonly isWhole: boolean
}

/** As many ticks as a drawing can show. */
export const SIGNS_SHOWN_MAX = 400

/**
 * Takes the events of one life, signs of life included, oldest first; every one gives a new moment. Throws
 * ContradictoryHistory.
 */
export class TimelineFold {
  readonly #number: number
  readonly #queued: Open<Stretch>[] = []
  readonly #attempts: Open<AttemptStretch>[] = []
  readonly #phases: Open<PhaseStretch>[] = []
  readonly #silences: Silence[] = []
  readonly #marks: TimelineMark[] = []
  readonly #steps: TimelineStep[] = []
  readonly #signs: number[] = []
  #operation: Operation | undefined

  constructor(number: number) {
    this.#number = number
  }

  /** As it stands after what was taken; undefined before its registration and after that was rolled back. */
  get operation(): Operation | undefined {
    return this.#operation
  }

  take(recorded: RecordedEvent): void {
    const before = this.#operation
    const after = lifeAfter(before, recorded, this.#number)
    this.#operation = after
    const { event, revision, metadata } = recorded
    if (after === undefined) return
    const { status } = after
    const from = before?.status ?? 'absent'
    if (from !== status || after.attempt !== before?.attempt)
      this.#steps.push({ from, to: status, event: event.type, at: metadata.at, revision })
    if (MARKS.has(event.type)) this.#marks.push({ at: metadata.at, type: event.type, revision })
    if (before === undefined) {
      this.#queued.push({ fromAt: after.registeredAt })
      return
    }
    const at = Math.max(metadata.at, before.registeredAt)
    if (after.lastSignAt !== undefined && after.lastSignAt !== before.lastSignAt) this.#heard(before, after.lastSignAt)
    if (event.type === 'OperationStarted') {
      const { attempt, claimant } = event.facts
      end(this.#queued, { untilAt: after.claimedAt ?? at })
      this.#attempts.push({ attempt, fromAt: after.claimedAt ?? at, ...(claimant === undefined ? {} : { claimant }) })
    }
    if (event.type === 'PhaseStarted') {
      const { phase, attempt } = event.facts
      this.#phases.push({ phase, attempt, fromAt: at })
    }
    if (event.type === 'PhaseCompleted' || event.type === 'PhaseFailed') {
      // One phase runs at a time.
      end(this.#phases, { untilAt: at, ending: event.type === 'PhaseCompleted' ? 'completed' : 'failed' })
    }
    if (event.type === 'AttemptFailed' || event.type === 'AttemptLost') {
      this.#ended(before, after.attemptEndedAt ?? at, event.type === 'AttemptLost' ? 'lost' : 'failed')
      this.#queued.push({ fromAt: after.attemptEndedAt ?? at })
    }
    if (isTerminal(after.status) && !isTerminal(before.status)) {
      const endedAt = after.completedAt ?? at
      this.#ended(before, endedAt, after.status)
      end(this.#queued, { untilAt: endedAt })
    }
  }

  /** As of `now`, for what goes on. */
  told(now: number): Timeline | undefined {
    const operation = this.#operation
    if (operation === undefined) return undefined
    const { registeredAt, completedAt } = operation
    const isOver = completedAt !== undefined
    const untilAt = completedAt ?? Math.max(now, registeredAt)
    const silent = isOver ? undefined : silenceOf(operation, untilAt)
    return {
      fromAt: registeredAt,
      untilAt,
      isOver,
      queued: this.#queued,
      attempts: this.#attempts,
      phases: this.#phases,
      silences: silent === undefined ? this.#silences : [...this.#silences, silent],
      signs: thinned(this.#signs),
      signsHeard: this.#signs.length,
      steps: this.#steps,
      marks: this.#marks,
    }
  }

  #heard(before: Operation, signAt: number): void {
    const silence = silenceOf(before, signAt)
    if (silence !== undefined) this.#silences.push({ ...silence, untilAt: signAt })
    this.#signs.push(signAt)
  }

  #ended(before: Operation, untilAt: number, ending: 'lost' | PresentStatus): void {
    const silence = silenceOf(before, untilAt)
    if (silence !== undefined) this.#silences.push({ ...silence, untilAt })
    end(this.#attempts, { untilAt, ending })
    end(this.#phases, { untilAt, ending: 'interrupted' })
  }
}

/** What is told on its own beside the stretches. */
const MARKS: ReadonlySet<LifecycleEvent['type']> = new Set([
  'CancelRequested',
  'RetireRequested',
  'PeerBecameReady',
  'AttentionRaised',
  'AttentionCleared',
  'ContradictionRecorded',
  'RegistrationJoined',
])

type Open<T> = { -readonly [K in keyof T]: T[K] }

/** Ends the last one, where it goes on. */
function end<T extends Stretch>(stretches: readonly Open<T>[], ending: Partial<T>): void {
  const last = stretches.at(-1)
  if (last !== undefined && last.untilAt === undefined) Object.assign(last, ending)
}

/** The silence from its last sign, or its claim, as it was at a time; undefined where that was no long one, or nobody judges it. */
function silenceOf(operation: Operation, at: number): Silence | undefined {
  const deadline = deadlinesOf(operation).find(({ rule }) => rule === 'sign' || rule === 'first_sign')
  if (deadline === undefined) return undefined
  const { sinceAt, deadlineAt, lateAt } = deadline
  const isLate = lateAt !== undefined && at >= lateAt
  if (at < deadlineAt && !isLate) return undefined
  const freshness = at >= deadlineAt ? 'likely_stale' : 'late'
  return { attempt: operation.attempt, fromAt: sinceAt, ms: at - sinceAt, freshness }
}

function thinned(times: readonly number[]): readonly number[] {
  if (times.length <= SIGNS_SHOWN_MAX) return times
  const step = times.length / SIGNS_SHOWN_MAX
  return Array.from({ length: SIGNS_SHOWN_MAX }, (_, place) => times[Math.floor(place * step)] as number)
}
