/** What has ended, in order: the completion feed with its named cursors, and the collection of what is retained. */
import { sequenceFault } from '../authority/asked-question.ts'
import type { CommandAnswer } from '../authority/command-answer.ts'
import type { CompletionPage, CompletionsRequest, OperationSnapshot, Refusable } from '../authority/questions.ts'
import { type FeedRow, feedPlaceAfter, type RegistryState } from '../authority/registry.ts'
import { cursorsStream, type RegistryName } from '../event-store/stream-names.ts'
import type { CommandDoor, SenderOptions } from './command-door.ts'
import { moveCursor as move } from './consumer-cursors.ts'
import { nameFault } from './registry-names.ts'
import { snapshotOf, stateAt } from './registry-reads.ts'
import { type NodeParts, withRegistry } from './shell-parts.ts'

export interface Collected {
  readonly operations: readonly OperationSnapshot[]
  readonly answer: CommandAnswer
}

const COMPLETIONS_PER_PAGE = 1_000

export async function completions(
  parts: NodeParts,
  name: RegistryName,
  { after, limit = COMPLETIONS_PER_PAGE, wait = false, signal }: CompletionsRequest,
): Promise<Refusable<CompletionPage>> {
  const fault = sequenceFault('after', after) ?? sequenceFault('limit', limit)
  if (fault !== undefined) return { type: 'refused', rejection: fault }
  return withRegistry(parts, name, async (registry) => {
    signal?.throwIfAborted()
    const { sequence, feedDroppedThrough } = registry.writer.durable.state
    if (after > sequence) {
      const message = `there is no completion ${after}: the newest one is ${sequence}`
      return {
        type: 'refused',
        rejection: { code: 'cursor_ahead', message, facts: { after, watermark: sequence } },
      }
    }
    if (wait && after >= feedDroppedThrough) await registry.feedBeyond(after, signal)
    const { state } = registry.writer.durable
    return { type: 'answered', answer: completionPage(state, after, Math.min(limit, COMPLETIONS_PER_PAGE)) }
  })
}

export async function moveCursor(
  parts: NodeParts,
  name: RegistryName,
  consumer: string,
  sequence: number,
): Promise<Refusable<{ readonly sequence: number }>> {
  const { bounds, cursorNamesMax, conflictsMax, unknownWaitMs } = parts.settings
  const fault = nameFault('name', consumer, bounds) ?? sequenceFault('sequence', sequence)
  if (fault !== undefined) return { type: 'refused', rejection: fault }
  return withRegistry(parts, name, async ({ writer }) => {
    const { store, clock, random, salts } = parts
    const watermark = writer.durable.state.sequence
    const cursorParts = { store, clock, random, salts, namesMax: cursorNamesMax, conflictsMax, unknownWaitMs }
    const moved = await move(cursorParts, cursorsStream(name), consumer, sequence, watermark)
    return typeof moved === 'number'
      ? { type: 'answered', answer: { sequence: moved } }
      : { type: 'refused', rejection: moved }
  })
}

export async function collect(
  parts: NodeParts,
  door: CommandDoor,
  name: RegistryName,
  options: SenderOptions,
): Promise<Refusable<Collected>> {
  const { result, stateBefore } = await door.sent(name, { type: 'CollectCompleted' }, options)
  if (result.type === 'refused') return { type: 'refused', rejection: result.rejection }
  const { answer } = result
  if (answer.collected === undefined) return { type: 'answered', answer: { operations: [], answer } }
  return withRegistry(parts, name, async (registry) => {
    const before = stateBefore ?? (await stateAt(parts.store, registry.stream, answer.revision - 1))
    const operations = [...before.retained]
      .map((id) => before.operations.get(id))
      .filter((operation) => operation !== undefined)
      .map((operation) => snapshotOf(parts, name, registry, operation))
    return { type: 'answered', answer: { operations, answer } }
  })
}

/** Entries and watermark of the same moment. */
function completionPage(state: RegistryState, after: number, limit: number): CompletionPage {
  const { feed, feedDroppedThrough: droppedThrough, sequence: watermark } = state
  if (after < droppedThrough) return { type: 'gap', requestedAfter: after, droppedThrough, watermark }
  const entries: FeedRow[] = []
  for (const row of feed.from(feedPlaceAfter(feed, after))) {
    if (entries.length === limit) break
    entries.push(row)
  }
  return { type: 'entries', entries, watermark }
}
