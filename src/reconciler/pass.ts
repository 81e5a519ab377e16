/**
 * One pass: who is late or due, judged (survey.ts), weighed by kind against the breaker, then dealt with by commands that
 * carry the evidence. Whatever happened between the look and the command wins. Gives back counts; asked again at once, it
 * finds nothing to do.
 *
 *     suspects -> judged -> weighed -> ReconcileOperation, RecordSigns -> attention raised and cleared -> waits expired
 */
import type { CommandResult } from '../authority/command-answer.ts'
import type { Command } from '../authority/commands.ts'
import type { DeadlineRule } from '../authority/events.ts'
import type { UnheardTime } from '../authority/grace.ts'
import type { Breakers, OpenBreaker } from './breaker.ts'
import { type Candidate, PAGE, type Scope, wasRaised } from './candidates.ts'
import { type Finding, PassNotes, type PassReport } from './pass-report.ts'
import { type Judged, type SurveyParts, survey } from './survey.ts'

/** The shell's command door. */
export type SendCommand = (
  registry: { readonly workspace: string; readonly owner: string },
  command: Command,
  options: { readonly actor: string; readonly onBehalfOf?: string },
) => Promise<CommandResult>

export interface PassParts extends SurveyParts {
  readonly send: SendCommand
  readonly breakers: Breakers
  readonly onBreakerOpen: (breaker: OpenBreaker) => void
}

export interface PassRequest {
  /** Whom it is about; what is not named is not restricted. */
  readonly kinds?: readonly string[]
  readonly owners?: readonly string[]
  readonly workspaces?: readonly string[]
  /** Operations that are reconciled at most; the others are skipped. */
  readonly limit?: number
  /** Judge and count, change nothing. */
  readonly dryRun?: boolean
  /** Count all silence, also that in which no authority ran: for whoever knows that nobody was at work then. */
  readonly withoutGrace?: boolean
  /** Who asked for it, for the record: the actor of what it does is the reconciler. */
  readonly onBehalfOf?: string
}

export interface PassOutcome {
  readonly report: PassReport
  /** When somebody who was looked at has to be looked at again; epoch ms. */
  readonly nextAt: number
  /** Of the last thing that was answered: the next look has to rest on it. */
  readonly position: bigint
}

const ACTOR = 'reconciler'
const COMMANDS_AT_ONCE = 256

export async function runPass(
  parts: PassParts,
  request: PassRequest,
  moment: { readonly now: number; readonly unheard: readonly UnheardTime[] },
  signal: AbortSignal,
): Promise<PassOutcome> {
  const judged = await survey(parts, scopeOf(request), moment, signal)
  const pass = new Pass(parts, request, moment.now, signal)
  const held = await pass.weigh(judged)
  await pass.deal(judged, held)
  if (request.dryRun !== true) {
    await pass.raiseAttention()
    await pass.clearAttention()
    await pass.expireWaits()
  }
  return pass.outcome
}

class Pass {
  readonly #parts: PassParts
  readonly #request: PassRequest
  readonly #now: number
  readonly #signal: AbortSignal
  readonly #notes = new PassNotes()
  readonly #stale: Candidate[] = []
  #nextAt = Number.POSITIVE_INFINITY
  #position = 0n

  constructor(parts: PassParts, request: PassRequest, now: number, signal: AbortSignal) {
    this.#parts = parts
    this.#request = request
    this.#now = now
    this.#signal = signal
  }

  get outcome(): PassOutcome {
    const report = this.#notes.report(this.#now, this.#request.dryRun === true)
    return { report, nextAt: this.#nextAt, position: this.#position }
  }

  /** The kinds of which none is reconciled. Those that are about to die with the dead count as well: it is one cut. */
  async weigh(judged: readonly Judged[]): Promise<ReadonlySet<string>> {
    const { breakers, modes, candidates, onBreakerOpen } = this.#parts
    const dead = new Set<string>()
    const suspects = new Map<string, number>()
    for (const { candidate, verdict } of judged) {
      if (modes.of(candidate.kind) !== 'enforce' || this.#isReleased(candidate)) continue
      if (verdict.type === 'fresh' || verdict.type === 'alive' || isForcedCancel(verdict)) continue
      suspects.set(candidate.kind, (suspects.get(candidate.kind) ?? 0) + 1)
      if (verdict.type === 'reconcile') dead.add(candidate.kind)
    }
    const held = new Set(breakers.open.map(({ kind }) => kind))
    const inQuestion = [...dead].filter((kind) => breakers.isTooMuch(suspects.get(kind) ?? 0, 0))
    if (inQuestion.length === 0) return held
    const active = await candidates.activeByKind(this.#signal)
    for (const kind of inQuestion) {
      const count = suspects.get(kind) ?? 0
      const ofAll = active.get(kind) ?? count
      if (held.has(kind) || !breakers.isTooMuch(count, ofAll)) continue
      held.add(kind)
      if (this.#request.dryRun === true) continue
      const breaker = { kind, openedAt: this.#now, suspects: count, active: ofAll }
      breakers.trip(breaker)
      onBreakerOpen(breaker)
    }
    return held
  }

  async deal(judged: readonly Judged[], held: ReadonlySet<string>): Promise<void> {
    const { modes } = this.#parts
    const { limit = Number.POSITIVE_INFINITY } = this.#request
    let room = limit
    const toSend: Judged[] = []
    for (const one of judged) {
      const { candidate, verdict } = one
      if (candidate.deadline.deadlineAt > this.#now) continue
      const mode = modes.of(candidate.kind)
      switch (verdict.type) {
        case 'fresh':
        case 'late':
        case 'stale':
          this.#nextAt = Math.min(this.#nextAt, verdict.nextAt)
          if (verdict.type === 'stale' && mode === 'enforce') this.#stale.push(candidate)
          this.#note(one, 'skipped')
          break
        case 'alive':
        case 'reconcile':
          if (mode !== 'enforce') this.#note(one, mode === 'observe' ? 'observed' : 'skipped')
          else if (
            held.has(candidate.kind) &&
            verdict.type === 'reconcile' &&
            !isForcedCancel(verdict) &&
            !this.#isReleased(candidate)
          ) {
            this.#stale.push(candidate)
            this.#note(one, 'heldByBreaker')
          } else if (room <= 0) this.#note(one, 'skipped')
          else {
            room--
            toSend.push(one)
          }
          break
        case 'ask':
          throw new Error(`the survey left operation ${candidate.id} without the answer of its witness`)
        default:
          verdict satisfies never
      }
    }
    if (this.#request.dryRun === true) for (const one of toSend) this.#note(one, findingOf(one))
    else await this.#each(toSend, async (one) => this.#note(one, await this.#act(one)))
  }

  async raiseAttention(): Promise<void> {
    const unseen = this.#stale.filter((candidate) => !wasRaised(candidate, candidate.deadline.rule))
    await this.#each(unseen, async (candidate) => {
      const { id, deadline } = candidate
      const result = await this.#send(candidate, { type: 'RaiseAttention', id, rule: deadline.rule })
      if (result.type === 'answered') this.#notes.attentionRaised++
    })
  }

  async clearAttention(): Promise<void> {
    const { candidates, modes } = this.#parts
    const raised: { readonly candidate: Candidate; readonly rule: DeadlineRule }[] = []
    for await (const candidate of candidates.recovered(this.#now, scopeOf(this.#request), this.#signal)) {
      if (modes.of(candidate.kind) !== 'enforce') continue
      for (const one of candidate.attention) if (one.raised) raised.push({ candidate, rule: one.rule })
    }
    await this.#each(raised, async ({ candidate, rule }) => {
      const result = await this.#send(candidate, { type: 'ClearAttention', id: candidate.id, rule })
      if (result.type === 'answered') this.#notes.attentionCleared++
    })
  }

  async expireWaits(): Promise<void> {
    const overdue = await this.#parts.candidates.overdueWaits(this.#now, scopeOf(this.#request), this.#signal)
    // There may be more than fit into one answer.
    if (overdue.length === PAGE) this.#nextAt = this.#now
    await this.#each(overdue, async (wait) => {
      const result = await this.#send(wait, { type: 'ExpireWait', waitId: wait.waitId })
      if (result.type === 'answered') this.#notes.waitsExpired++
    })
  }

  async #act(judged: Judged): Promise<Finding> {
    const { candidate, verdict } = judged
    const { id, number } = candidate
    if (verdict.type === 'alive') {
      const signs: [number, number][] = [[number, Math.floor(this.#now)]]
      const result = await this.#send(candidate, { type: 'RecordSigns', signs })
      return result.type === 'answered' ? 'alive' : 'refused'
    }
    if (verdict.type !== 'reconcile') return 'skipped'
    const { evidence, reasonCode, disposition } = verdict
    const result = await this.#send(candidate, { type: 'ReconcileOperation', id, evidence, reasonCode, disposition })
    if (result.type === 'answered') return findingOf(judged)
    return OUTDATED.has(result.rejection.code) ? 'outdated' : 'refused'
  }

  async #send(
    registry: { readonly workspace: string; readonly owner: string },
    command: Command,
  ): Promise<CommandResult> {
    const { workspace, owner } = registry
    const { onBehalfOf } = this.#request
    const sender = onBehalfOf === undefined ? { actor: ACTOR } : { actor: ACTOR, onBehalfOf }
    const result = await this.#parts.send({ workspace, owner }, command, sender)
    const { position } = result.type === 'answered' ? result.answer : result.place
    if (position > this.#position) this.#position = position
    return result
  }

  async #each<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
    for (let i = 0; i < all.length; i += COMMANDS_AT_ONCE) {
      this.#signal.throwIfAborted()
      await Promise.all(all.slice(i, i + COMMANDS_AT_ONCE).map(work))
    }
  }

  /** An operator has seen that it is suspect, and released its kind. */
  #isReleased({ kind, deadline }: Candidate): boolean {
    const release = this.#parts.breakers.releaseOf(kind)
    return release !== undefined && (deadline.lateAt ?? deadline.deadlineAt) <= release.at
  }

  #note({ candidate, verdict }: Judged, finding: Finding): void {
    const { workspace, owner, id, kind, deadline } = candidate
    const reasonCode = verdict.type === 'reconcile' ? { reasonCode: verdict.reasonCode } : {}
    this.#notes.add({ workspace, owner, id, kind, rule: deadline.rule, finding, ...reasonCode })
  }
}

function scopeOf({ kinds, owners, workspaces }: PassRequest): Scope {
  return { kinds, owners, workspaces }
}

const OUTDATED: ReadonlySet<string> = new Set(['evidence_outdated', 'retry_not_allowed', 'not_found', 'owner_retired'])

/** A cancel that somebody asked for and nobody followed is no doubt about its operation's health. */
function isForcedCancel(verdict: Judged['verdict']): boolean {
  return verdict.type === 'reconcile' && verdict.disposition.type === 'cancel'
}

function findingOf({ verdict }: Judged): Finding {
  if (verdict.type !== 'reconcile') return 'alive'
  switch (verdict.disposition.type) {
    case 'fail':
    case 'complete':
      return 'reconciled'
    case 'retry':
      return 'retried'
    case 'cancel':
      return 'cancelled'
    default:
      return verdict.disposition satisfies never
  }
}
