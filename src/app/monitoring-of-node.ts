/**
 * The questions of monitors, answered by a node: checked, asked of the read models on their thread, and their refusals made
 * values. Nothing is decided here and nothing is kept but how far this node has told its callers of the log.
 *
 *     question -> schema -> read side (rows at or behind what was told here) -> answer with its position
 *                             '-> read_model_behind, not_served: refused, with how far the rows are
 */
import type { z } from 'zod'
import type { monitoredAsked } from '../../projections/monitored-operations.ts'
import type { facetsAsked } from '../../projections/operation-facets.ts'
import type { countAsked } from '../../projections/operation-questions.ts'
import { QuestionError } from '../../projections/question-error.ts'
import type { ratesAsked } from '../../projections/rate-questions.ts'
import type { registriesAsked } from '../../projections/registry-questions.ts'
import type { storyFound, toldAsked } from '../../projections/told-operations.ts'
import { askedQuestion } from '../authority/asked-question.ts'
import type { UnheardTime } from '../authority/grace.ts'
import {
  type AsOf,
  type FilterQuestion,
  filterQuestionSchema,
  type OperationStory,
  operationsQuestionSchema,
  ownersQuestionSchema,
  ratesQuestionSchema,
  STORY_PAGE_MAX,
  type StoryQuestion,
  storyQuestionSchema,
} from '../authority/monitoring.ts'
import type { Refusable } from '../authority/questions.ts'
import type { Rejection } from '../authority/rejections.ts'
import { storyTold } from '../authority/story.ts'
import type { MonitoringDoor } from '../client/monitoring-door.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { registryStream } from '../event-store/stream-names.ts'
import type { Clock } from '../runtime/clock.ts'
import type { ParametersOf, Question, QuestionFunction } from '../subscriptions/question.ts'
import type { ReadAnswer, ReadSide } from '../subscriptions/read-side.ts'
import { ReadSideError } from '../subscriptions/read-side-error.ts'
import { projectionModule } from './read-side-of-node.ts'
import { eventsAt, storyInLog } from './stories-of-node.ts'

export interface MonitoringParts {
  readonly readSide: ReadSide
  readonly store: EventReader
  readonly clock: Clock
  /** Time in which nobody could be heard: rows are judged with the same grace as by the reconciler. */
  readonly unheard: () => readonly UnheardTime[]
  /** Everything up to here was told to callers of this node. */
  readonly toldUpTo: () => Promise<bigint>
}

export function monitoringOf({ readSide, store, clock, unheard, toldUpTo }: MonitoringParts): MonitoringDoor {
  const moment = () => ({ now: clock.now(), unheard: unheard() })
  return {
    operations: (given, signal) =>
      answered(
        operationsQuestionSchema,
        given,
        async ({ filter = {}, sort, pageSize, pageToken, withFacets, ...as }) => {
          return told(
            await ask(OPERATIONS, [{ filter, sort, pageSize, pageToken, withFacets, ...moment() }], as, signal),
          )
        },
      ),
    count: (given, signal) =>
      answered(filterQuestionSchema, given, async ({ filter = {}, ...as }) =>
        told(await ask(COUNT, [{ filter, ...moment() }], as, signal)),
      ),
    facets: (given, signal) =>
      answered(filterQuestionSchema, given, async ({ filter = {}, ...as }) =>
        told(await ask(FACETS, [{ filter, ...moment() }], as, signal)),
      ),
    story: (given, signal) => answered(storyQuestionSchema, given, (question) => story(question, signal)),
    owners: (given, signal) =>
      answered(ownersQuestionSchema, given, async ({ filter = {}, sort, pageSize, pageToken, ...as }) =>
        told(await ask(OWNERS, [{ filter, sort, pageSize, pageToken }], as, signal)),
      ),
    rates: (given, signal) =>
      answered(ratesQuestionSchema, given, async ({ atLeast, timeoutMs, withLag, ...question }) => {
        const { answer: points, ...asOf } = await ask(RATES, [question], { atLeast, timeoutMs, withLag }, signal)
        return { points, ...asOf }
      }),
  }

  async function ask<F extends QuestionFunction>(
    question: Question<F>,
    parameters: ParametersOf<F>,
    { atLeast, timeoutMs, withLag }: ReadFreshness,
    signal: AbortSignal | undefined,
  ): Promise<ReadAnswer<ReturnType<F>>> {
    return await readSide.ask(question, parameters, {
      atLeast: atLeast ?? (await toldUpTo()),
      timeoutMs,
      withLag,
      signal,
    })
  }

  async function story(
    { workspace, owner, id, number: wanted, after = -1, limit = STORY_PAGE_MAX, ...as }: StoryQuestion,
    signal: AbortSignal | undefined,
  ): Promise<OperationStory | undefined> {
    const stream = registryStream({ workspace, owner })
    const { answer: found, ...asOf } = await ask(STORY, [{ stream, id, number: wanted, after, limit }], as, signal)
    const address = { workspace, owner, id, ...asOf }
    if (found === undefined) {
      const kept = await storyInLog(store, stream, { id, number: wanted, after, limit }, signal)
      if (kept === undefined) return undefined
      const standing = { standing: 'no_longer_held', explanation: NO_LONGER_HELD } as const
      return { ...address, ...standing, ...kept, steps: storyTold(kept.entries) }
    }
    const { number, revisions, hasMore } = found
    const { answer: held } = await ask(
      TOLD,
      [{ stream, number, ...moment() }],
      { ...as, atLeast: asOf.position },
      signal,
    )
    const entries = await eventsAt(store, stream, revisions, signal)
    const page = { entries, steps: storyTold(entries), hasMore }
    if (held === undefined) {
      return { ...address, standing: 'no_longer_held', explanation: NO_LONGER_HELD, number, ...page }
    }
    const { operation, isHidden } = held
    const standing = isHidden
      ? ({ standing: 'hidden', explanation: HIDDEN } as const)
      : ({ standing: 'listed', explanation: operation.explanation } as const)
    return { ...address, ...standing, number, operation, ...page }
  }
}

const NO_LONGER_HELD = 'It is no longer held by the read models; the log has it.'
const HIDDEN = 'It has ended, and has left the lists; soon the read models no longer hold it, and the log has it.'

type ReadFreshness = Pick<FilterQuestion, 'atLeast' | 'timeoutMs' | 'withLag'>

function told<T>({ answer, ...asOf }: ReadAnswer<T>): T & AsOf {
  return { ...answer, ...asOf }
}

async function answered<Q, T>(
  schema: z.ZodType<Q>,
  given: unknown,
  answer: (question: Q) => Promise<T>,
): Promise<Refusable<T>> {
  const asked = askedQuestion(schema, given)
  if (asked.type === 'refused') return asked
  try {
    return { type: 'answered', answer: await answer(asked.question) }
  } catch (error) {
    const rejection = rejectionOf(error)
    if (rejection === undefined) throw error
    return { type: 'refused', rejection }
  }
}

/** Undefined for what is no refusal: a thread that is gone, a log that can't be read, the reason of a signal. */
function rejectionOf(error: unknown): Rejection | undefined {
  if (error instanceof QuestionError) {
    const { message } = error
    if (error.code === 'bad_page_token') return { code: 'bad_page_token', message, facts: { path: 'pageToken' } }
    return { code: 'invalid_command', message, facts: { path: '', expected: message } }
  }
  if (!(error instanceof ReadSideError)) return undefined
  const { message, position, atLeast } = error
  switch (error.code) {
    case 'read_model_behind':
      return { code: 'read_model_behind', message, facts: { position, atLeast } }
    case 'not_served':
      return { code: 'not_served', message, facts: {} }
    case 'read_side_closed':
      return { code: 'shutting_down', message, facts: {} }
    default:
      return undefined
  }
}

const OPERATIONS = question<typeof monitoredAsked>('monitored-operations', 'monitoredAsked', 'operation-index')
const COUNT = question<typeof countAsked>('operation-questions', 'countAsked', 'operation-index')
const FACETS = question<typeof facetsAsked>('operation-facets', 'facetsAsked', 'operation-index')
const TOLD = question<typeof toldAsked>('told-operations', 'toldAsked', 'operation-index')
const STORY = question<typeof storyFound>('told-operations', 'storyFound', 'operation-history')
const OWNERS = question<typeof registriesAsked>('registry-questions', 'registriesAsked', 'registries')
const RATES = question<typeof ratesAsked>('rate-questions', 'ratesAsked', 'rates')

function question<F extends QuestionFunction>(file: string, name: string, projection: string): Question<F> {
  return { module: projectionModule(file), name, projection }
}
