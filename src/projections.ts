/** The package's door for projections of one's own, and for consumers outside that keep a checkpoint of their own. */
export type { Checkpoint } from '../projections/checkpoint.ts'
export type {
  Column,
  ProjectedEvent,
  Projection,
  ProjectionTable,
  RowKey,
  RowsBefore,
  SqlValue,
  TableIndex,
  TableLayout,
} from '../projections/projection.ts'
export { QuestionError } from '../projections/question-error.ts'
export type { ReadSession } from '../projections/read-session.ts'
export { handleEvents } from './app/event-handler-of-log.ts'
export type { EventMetadata, LifecycleEvent } from './authority/events.ts'
export {
  type CheckpointStore,
  type EventBatch,
  type EventHandlerOptions,
  EventHandlerStopped,
} from './subscriptions/handle-events.ts'
export type { ModuleExport, Question, QuestionFunction } from './subscriptions/question.ts'
export type { AskOptions, ReadAnswer } from './subscriptions/read-side.ts'
