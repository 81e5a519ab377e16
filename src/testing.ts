/** The package's door for tests: specifications of the authority and of projections, the contract of a log, and a clock that is moved by hand. */
export {
  ProjectionSpecification,
  ProjectionSpecificationFailed,
  projectionSpecification,
} from '../projections/projection-specification.ts'
export {
  type Sending,
  type Specification,
  SpecificationFailed,
  type SpecificationSettings,
  type Specified,
  specification,
} from './authority/specification.ts'
export { type ContractLog, type ContractTools, eventStoreContract } from './event-store/contract-suite.ts'
export type {
  AppendResult,
  EventAppender,
  EventReader,
  EventStore,
  NewEvent,
  StoredEvent,
} from './event-store/event-store.ts'
export { HandMovedClock } from './runtime/hand-moved-clock.ts'
