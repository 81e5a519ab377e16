/** One round held against the log: what is wrong, and how much of what was seen. */
import { setTimeout as delay } from 'node:timers/promises'
import type { EventReader } from '../../../src/event-store/event-store.ts'
import { type History, toldTo } from './history.ts'
import { isToldOfRollback, lifeEndedAs, listenerFaults, logFaults } from './log-check.ts'
import { type LogStory, logStory } from './log-story.ts'
import { endingText, isNodeRefusal } from './observations.ts'
import type { Fought } from './round.ts'

export interface LogChecked {
  /** Sent, copies of the same one included. */
  readonly commands: number
  readonly answered: number
  readonly refused: number
  /** The node ended before it answered. */
  readonly unanswered: number
  /** Of the refused ones: not by the law, but because the node could not. */
  readonly nodeRefusals: number
  /** Registrations in the log. */
  readonly lives: number
  readonly watchersTold: number
  /** Of what a command to another node did. */
  readonly watchersToldAcross: number
  readonly waitsTold: number
  readonly cancelsHeard: number
  readonly cancelsHeardAcross: number
  readonly activeMax: number
  readonly faults: readonly string[]
}

const NOTICE_MS_MAX = 10_000
const LOOK_EVERY_MS = 20

export async function checkLog(
  reader: EventReader,
  { history, registries }: Fought,
  isAlive: (node: string) => boolean,
): Promise<LogChecked> {
  const stories = new Map<string, LogStory>()
  const faults: string[] = []
  for (const registry of registries) {
    const story = await logStory(reader, registry.owner)
    stories.set(registry.owner, story)
    faults.push(...logFaults(story, registry, history))
  }
  faults.push(...(await noticeFaults(stories, history, isAlive)), ...doorFaults(history))
  const sent = history.of('send')
  const results = sent.map((entry) => toldTo(entry)?.value)
  return {
    commands: sent.length,
    answered: results.filter((result) => result?.type === 'answered').length,
    refused: results.filter((result) => result?.type === 'refused').length,
    unanswered: sent.filter(({ answered }) => answered === undefined).length,
    nodeRefusals: results.filter((result) => result?.type === 'refused' && isNodeRefusal(result.rejection)).length,
    lives: [...stories.values()].reduce((sum, { lives }) => sum + lives.size, 0),
    activeMax: Math.max(...[...stories.values()].map(({ activeMax }) => activeMax)),
    waitsTold: history.of('wait').filter((entry) => toldTo(entry)?.value.type === 'answered').length,
    ...watchersTold(stories, history),
    ...cancelsHeard(stories, history),
    faults,
  }
}

/** Workers whose node still lives hear within a while; whoever has not by then never would. */
async function noticeFaults(
  stories: ReadonlyMap<string, LogStory>,
  { listeners }: History,
  isAlive: (node: string) => boolean,
): Promise<readonly string[]> {
  const until = performance.now() + NOTICE_MS_MAX
  for (;;) {
    const faults = listeners
      .filter(({ node }) => isAlive(node))
      .flatMap((listener) => listenerFaults(stories.get(listener.owner) as LogStory, listener))
    if (faults.length === 0 || performance.now() > until) return faults
    await delay(LOOK_EVERY_MS)
  }
}

/** A door throws only where its node goes away, and nodes go away here without a word. */
function doorFaults({ entries }: History): readonly string[] {
  return entries.flatMap((entry) => {
    const { asked, node, answered } = entry
    if (answered?.reply.type !== 'threw' || (asked.do === 'outcome' && isToldOfRollback(entry))) return []
    const { name, message } = answered.reply
    return [`${node} threw for ${JSON.stringify(asked)}: ${name}: ${message}`]
  })
}

function watchersTold(stories: ReadonlyMap<string, LogStory>, history: History) {
  const copies = history.byCommandId()
  let told = 0
  let across = 0
  for (const entry of history.of('outcome')) {
    const { owner, id } = entry.asked
    const answer = toldTo(entry)?.value
    if (answer?.type !== 'answered') continue
    told++
    const ended = lifeEndedAs(stories.get(owner) as LogStory, id, endingText(answer.answer.outcome))?.ended
    const by = copies.get(ended?.commandId ?? '') ?? []
    if (by.length > 0 && by.every(({ node }) => node !== entry.node)) across++
  }
  return { watchersTold: told, watchersToldAcross: across }
}

function cancelsHeard(stories: ReadonlyMap<string, LogStory>, history: History) {
  const copies = history.byCommandId()
  let heard = 0
  let across = 0
  for (const listener of history.listeners) {
    if (!listener.heard.includes('cancel_requested')) continue
    heard++
    const leases = [...(stories.get(listener.owner)?.lives.values() ?? [])].flatMap(({ leases }) => leases)
    const lease = leases.find(({ epoch }) => epoch === listener.leaseEpoch)
    const cause = lease?.causes.find(({ cause }) => cause === 'cancel_requested')
    const by = copies.get(cause?.commandId ?? '') ?? []
    if (by.length > 0 && by.every(({ node }) => node !== listener.node)) across++
  }
  return { cancelsHeard: heard, cancelsHeardAcross: across }
}
