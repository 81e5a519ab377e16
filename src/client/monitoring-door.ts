/**
 * The questions of monitors as a door answers them: from read models, which follow the log. What is not asked with a position of
 * its own is answered at or behind everything that this door has answered before, so that everybody reads their own writes.
 */
import type {
  AsOf,
  Count,
  Facets,
  FilterQuestion,
  OperationStory,
  OperationsAnswer,
  OperationsQuestion,
  OwnersQuestion,
  RatePoint,
  RatesQuestion,
  RegistryPage,
  StoryQuestion,
} from '../authority/monitoring.ts'
import type { Refusable } from '../authority/questions.ts'

/**
 * Refused are `invalid_command` (facts: path, expected), `bad_page_token`, `read_model_behind` (facts: position, atLeast) where the
 * rows do not get there in time, and `not_served` while there are none. An aborted signal throws its reason.
 */
export interface MonitoringDoor {
  /** One page of operations. */
  operations(question: OperationsQuestion, signal?: AbortSignal): Promise<Refusable<OperationsAnswer>>
  count(question: FilterQuestion, signal?: AbortSignal): Promise<Refusable<Count & AsOf>>
  facets(question: FilterQuestion, signal?: AbortSignal): Promise<Refusable<Facets & AsOf>>
  /** What became of one operation, event by event, also when the lists no longer hold it. Undefined where it never was. */
  story(question: StoryQuestion, signal?: AbortSignal): Promise<Refusable<OperationStory | undefined>>
  /** One page of owners' registries. */
  owners(question: OwnersQuestion, signal?: AbortSignal): Promise<Refusable<RegistryPage & AsOf>>
  /** How much happened, by kind and step of time. */
  rates(
    question: RatesQuestion,
    signal?: AbortSignal,
  ): Promise<Refusable<{ readonly points: readonly RatePoint[] } & AsOf>>
}
