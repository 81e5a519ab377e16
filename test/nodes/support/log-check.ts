/** Whether what was said is what the log says: every answer, every refusal, every watcher, waiter and worker. */

import { DEFAULT_BOUNDS } from '../../../src/authority/bounds.ts'
import type { CommandResult } from '../../../src/authority/command-answer.ts'
import { parseCommand } from '../../../src/authority/commands.ts'
import { decide } from '../../../src/authority/decide.ts'
import { DEFAULT_LIMITS } from '../../../src/authority/events.ts'
import type { WaitAnswer } from '../../../src/authority/questions.ts'
import { EMPTY_REGISTRY } from '../../../src/authority/registry.ts'
import type { Rejection } from '../../../src/authority/rejections.ts'
import { settingsOf } from '../../../src/config.ts'
import { type Clock, SYSTEM_CLOCK } from '../../../src/runtime/clock.ts'
import { HandMovedClock } from '../../../src/runtime/hand-moved-clock.ts'
import { systemRandom } from '../../../src/runtime/ids.ts'
import { addressCommand, stampCommand } from '../../../src/shell/command-stamp.ts'
import { type AnyEntry, type Entry, type History, type Listener, type Timed, toldTo } from './history.ts'
import type { LogStory, StoredLife } from './log-story.ts'
import { NODE_OPTIONS } from './node-options.ts'
import { endingText, isNodeRefusal, isUnknown } from './observations.ts'
import type { Registry } from './round.ts'

/** What is wrong with one registry. */
export function logFaults(story: LogStory, { owner, limits }: Registry, history: History): readonly string[] {
  const faults = [...story.faults]
  if (story.activeMax > limits.maxConcurrent) {
    faults.push(`${owner}: ${story.activeMax} were active, at most ${limits.maxConcurrent} may be`)
  }
  for (const [commandId, all] of history.byCommandId()) {
    const sent = all.filter(({ asked }) => asked.owner === owner)
    if (sent.length > 0) faults.push(...commandFaults(story, commandId, sent))
  }
  faults.push(...orderFaults(owner, history))
  for (const entry of history.of('outcome'))
    if (entry.asked.owner === owner) faults.push(...watcherFaults(story, entry))
  for (const entry of history.of('wait')) if (entry.asked.owner === owner) faults.push(...waitFaults(story, entry))
  return faults
}

type Answered = CommandResult & { readonly type: 'answered' }
type Refused = CommandResult & { readonly type: 'refused' }

/** Acknowledged: in the log exactly there. Refused: not in it, and the law says so on the state that it was told for. */
function commandFaults(story: LogStory, commandId: string, sent: readonly Entry<'send'>[]): readonly string[] {
  const faults: string[] = []
  const results = sent.map((entry) => toldTo(entry)?.value)
  const stored = story.commands.get(commandId)
  const answers = results
    .filter((result): result is Answered => result?.type === 'answered')
    .map(({ answer }) => answer)
  // Answered as heard, each time anew, and written later or not at all.
  const isHeard = sent[0]?.asked.command.type === 'RecordHeartbeat'
  for (const { changed, joined, revision } of answers) {
    if ((changed || joined === true) && !isHeard && stored?.last !== revision) {
      faults.push(`${commandId} was acknowledged at ${revision}, the log has it at ${stored?.last ?? 'no place'}`)
    }
  }
  // What found all as it was is not remembered.
  const effective = answers.filter(({ changed, joined }) => changed || joined === true)
  const firsts = effective.map(({ operationId, number, leaseEpoch, sequence, outcome, changed, joined, revision }) =>
    JSON.stringify([operationId, number, leaseEpoch, sequence, outcome, changed, joined, isHeard || revision]),
  )
  if (new Set(firsts).size > 1) faults.push(`${commandId} was answered differently: ${firsts.join(' and ')}`)
  const isRefused = results.every((result) => result?.type === 'refused' && !isUnknown(result))
  if (isRefused && stored !== undefined) faults.push(`${commandId} was refused, and stands at ${stored.first}`)
  sent.forEach((entry, i) => {
    const result = results[i]
    if (result?.type === 'refused') faults.push(...refusalFaults(story, entry, result))
  })
  return faults
}

const STAMPS = {
  ...settingsOf(NODE_OPTIONS.settings),
  clock: SYSTEM_CLOCK,
  random: systemRandom(),
  kinds: NODE_OPTIONS.kinds,
  limits: DEFAULT_LIMITS,
}

function refusalFaults(
  story: LogStory,
  { asked, node }: Entry<'send'>,
  { rejection, place }: Refused,
): readonly string[] {
  if (isNodeRefusal(rejection)) return []
  const on = place.revision === -1 ? EMPTY_REGISTRY : story.states[place.revision]
  const where = `${asked.commandId} was refused by ${node} for revision ${place.revision} (${rejection.code})`
  if (on === undefined) return [`${where}, which is not in the log`]
  const parsed = parseCommand(asked.command, DEFAULT_BOUNDS)
  if ('rejection' in parsed) return [`${where}, and is none: ${parsed.rejection.message}`]
  const stamps = { ...STAMPS, clock: clockOf(rejection) }
  const stamped = stampCommand(addressCommand(parsed.command, asked.commandId, stamps, parsed.text), on, stamps)
  const decision = 'resolved' in stamped ? decide(on, stamped) : { type: 'rejected' as const, rejection: stamped }
  if (decision.type !== 'rejected') return [`${where}, the law says ${decision.type}`]
  const { outcome: _read, ...facts } = rejection.facts
  const { outcome: _held, ...lawful } = decision.rejection.facts
  const said = JSON.stringify([rejection.code, rejection.idempotent, facts])
  const law = JSON.stringify([decision.rejection.code, decision.rejection.idempotent, lawful])
  return said === law ? [] : [`${where}: ${said}, the law says ${law}`]
}

/** What was too soon was so until the time that it names; every other refusal is one at any time. */
function clockOf({ code, facts }: Rejection): Clock {
  const dueAt = facts.notBeforeAt ?? facts.deadlineAt
  return code === 'not_due' && typeof dueAt === 'number' ? new HandMovedClock(dueAt - 1) : SYSTEM_CLOCK
}

/** Whatever was asked after an answer came sees the log at least as far as that answer. */
function orderFaults(owner: string, history: History): readonly string[] {
  const copies = history.byCommandId()
  const seen = history.entries.flatMap((entry) => {
    const revision = entry.asked.do !== 'close' && entry.asked.owner === owner ? revisionTold(entry, copies) : undefined
    return revision === undefined ? [] : [{ entry, ...revision }]
  })
  const byEnd = seen.toSorted((a, b) => endOf(a.entry) - endOf(b.entry))
  const faults: string[] = []
  let next = 0
  let floor = -1
  for (const { entry, revision, isFirst, isFresh } of seen.toSorted((a, b) => a.entry.invokedAt - b.entry.invokedAt)) {
    for (let one = byEnd[next]; one !== undefined && endOf(one.entry) < entry.invokedAt; one = byEnd[++next]) {
      floor = Math.max(floor, one.revision)
    }
    if (!isFresh) continue
    const isBehind = isFirst ? revision <= floor : revision < floor
    if (isBehind) {
      const what = JSON.stringify(entry.asked)
      faults.push(`${owner}: ${what} was answered at ${revision}, after ${floor} had been told (${entry.node})`)
    }
  }
  return faults
}

function endOf({ answered }: Timed): number {
  return answered?.at ?? Number.POSITIVE_INFINITY
}

interface RevisionTold {
  readonly revision: number
  /** It was written for this one: nothing that was told before may stand behind it. */
  readonly isFirst: boolean
  /** False for what may be older: a heartbeat is answered as heard, a repetition at its first place. */
  readonly isFresh: boolean
}

function revisionTold(entry: AnyEntry, copies: ReturnType<History['byCommandId']>): RevisionTold | undefined {
  if (entry.asked.do === 'overview') {
    const told = toldTo(entry as Entry<'overview'>)
    return told && { revision: told.value.revision, isFirst: false, isFresh: true }
  }
  if (entry.asked.do !== 'send') return undefined
  const result = toldTo(entry as Entry<'send'>)?.value
  if (result === undefined) return undefined
  if (result.type === 'refused') {
    const { revision } = result.place
    return isNodeRefusal(result.rejection) ? undefined : { revision, isFirst: false, isFresh: true }
  }
  const { revision, changed } = result.answer
  const isHeard = entry.asked.command.type === 'RecordHeartbeat'
  // A copy of it may have been sent before: then its place is older than its own asking.
  const isOnlyCopy = copies.get(entry.asked.commandId)?.length === 1
  return { revision, isFirst: changed, isFresh: !isHeard && isOnlyCopy }
}

function watcherFaults(story: LogStory, entry: Entry<'outcome'>): readonly string[] {
  if (isToldOfRollback(entry)) {
    const { id } = entry.asked
    const isSo = [...story.lives.values()].some((life) => life.id === id && life.isRolledBack)
    return isSo ? [] : [`a watcher of ${id} on ${entry.node} was told of a rollback, which never was`]
  }
  const told = toldTo(entry)?.value
  if (told?.type !== 'answered') return []
  const ending = endingText(told.answer.outcome)
  const life = lifeEndedAs(story, entry.asked.id, ending)
  return life === undefined
    ? [`a watcher of ${entry.asked.id} on ${entry.node} was told ${ending}, which never was`]
    : []
}

export function isToldOfRollback({ answered }: Timed): boolean {
  return answered?.reply.type === 'threw' && answered.reply.message.endsWith('rolled_back')
}

export function lifeEndedAs(story: LogStory, id: string, ending: string): StoredLife | undefined {
  return [...story.lives.values()].find((life) => life.id === id && life.ended?.ending === ending)
}

function waitFaults(story: LogStory, entry: Entry<'wait'>): readonly string[] {
  const { waitId, ids } = entry.asked
  const told = toldTo(entry)?.value
  const stored = story.waits.get(waitId)
  if (told === undefined) return []
  if (told.type === 'refused') {
    const isHeld = stored !== undefined && !isNodeRefusal(told.rejection)
    return isHeld ? [`${waitId} was refused (${told.rejection.code}), and stands in the log`] : []
  }
  const { answer } = told
  const faults: string[] = []
  const where = `${waitId} on ${entry.node}`
  const numbers = answer.members.map(({ number }) => number)
  if (stored !== undefined && String(stored.numbers) !== String(numbers)) {
    faults.push(`${where} was told of ${numbers}, it began for ${stored.numbers}`)
  }
  if (String(answer.members.map(({ id }) => id)) !== String(ids)) faults.push(`${where} was told of other ids`)
  for (const { number, outcome } of answer.members) {
    const ending = story.lives.get(number)?.ended?.ending
    if (outcome !== undefined && endingText(outcome) !== ending) {
      faults.push(`${where} was told that #${number} ${endingText(outcome)}, the log says ${ending}`)
    }
  }
  return [...faults, ...endingFaults(story, where, answer, stored?.endings ?? [])]
}

function endingFaults(
  story: LogStory,
  where: string,
  { mode, ending, members, winner }: WaitAnswer,
  endings: readonly string[],
): readonly string[] {
  const stored = endings.length === 0 ? 'satisfied' : endings.join(' and ')
  if (ending !== stored) return [`${where} was ${ending}, the log says ${stored}`]
  if (ending !== 'satisfied') return []
  const ends = members.map(({ id, number }) => ({ id, revision: story.lives.get(number)?.ended?.revision ?? Infinity }))
  const missing = members.filter(({ outcome }) => outcome === undefined)
  if (mode === 'all')
    return missing.length === 0 ? [] : [`${where} was satisfied without ${missing.map(({ id }) => id)}`]
  const [first] = ends.toSorted((a, b) => a.revision - b.revision)
  return first?.id === winner ? [] : [`${where} was won by ${winner}, the log says ${first?.id}`]
}

/** What a worker whose node still lives has not heard, heard twice, or heard without its being so. */
export function listenerFaults(story: LogStory, { id, leaseEpoch, node, heard }: Listener): readonly string[] {
  const lease = [...story.lives.values()]
    .filter((life) => life.id === id)
    .flatMap(({ leases }) => leases)
    .find(({ epoch }) => epoch === leaseEpoch)
  const where = `the worker of ${id} with lease ${leaseEpoch} on ${node}`
  if (lease === undefined) return [`${where} has a lease that is not in the log`]
  const said = heard.filter((cause) => cause !== 'attempt_lost')
  if (new Set(said).size < said.length) return [`${where} heard twice: ${heard}`]
  const due: readonly string[] = lease.causes.map(({ cause }) => cause)
  // Who begins to listen when all is over hears that, not what came before.
  const isOver = said.includes('ended') || heard.includes('attempt_lost')
  const unheard = due.filter((cause) => !said.some((one) => one === cause) && !(isOver && cause === 'cancel_requested'))
  return unheard.length === 0 ? [] : [`${where} heard ${heard.join() || 'nothing'}, and not ${unheard}`]
}
