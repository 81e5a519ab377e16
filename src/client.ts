/** The package's door for those who use a server: the API without what runs in it. Works in Node and in browsers. */
export type { CloudEvent } from './authority/cloud-event.ts'
export type { CommandAnswer } from './authority/command-answer.ts'
export type { Command, CommandOf, CommandType } from './authority/commands.ts'
export type { Claimant, Limits, OperationError } from './authority/events.ts'
export type { JsonValue } from './authority/json-value.ts'
export type { OperationFilter, RegistryFilter } from './authority/monitoring-filters.ts'
export type { Outcome, Phase } from './authority/operation.ts'
export type {
  EventsResync,
  HistoryEntry,
  LiveEvent,
  OperationSnapshot,
  RegistryAddress,
  RegistryOverview,
  WaitAnswer,
} from './authority/questions.ts'
export type { FeedRow } from './authority/registry.ts'
export type { RejectionFacts } from './authority/rejections.ts'
export type { PresentStatus, ResultClass } from './authority/status.ts'
export type { CallOptions } from './client/command-sender.ts'
export { type ConnectOptions, connectVerdict } from './client/connect.ts'
export type { AdminEventsOptions, ConnectedVerdict, ServedReconciler } from './client/connected-verdict.ts'
export type { VerdictDoor } from './client/door.ts'
export type { Duration, Moment } from './client/durations.ts'
export type { ErrorInput } from './client/error-input.ts'
export type { AdminEvent, Order, PassScope, ReconcilerMode } from './client/http-operators.ts'
export { type ClaimOptions, Lease, type ProgressReport } from './client/lease.ts'
export type { EventsOptions } from './client/live-events.ts'
export {
  AttemptAborted,
  CompletionsDropped,
  EventsReplaced,
  OperationCancelled,
  OperationFailed,
  OperationRejected,
  type RefusalCode,
  WaitCancelled,
  WaitExpired,
} from './client/operation-errors.ts'
export { OperationHandle } from './client/operation-handle.ts'
export type { Attempt, AttemptFunction } from './client/operation-runner.ts'
export type { FirstOutcome, WaitOptions } from './client/operation-waits.ts'
export type { CompletionsOptions, OwnerOperations } from './client/owner-operations.ts'
export type { PolicyOptions } from './client/policy-options.ts'
export type { RegisterOptions } from './client/registration.ts'
export type { KeptReport, ReportSpool } from './client/report-spool.ts'
export { type CloseOptions, type StartOptions, Verdict, type VerdictDefaults } from './client/verdict.ts'
export { ChannelClosed } from './runtime/channel-closed.ts'
export type { WarningLog } from './runtime/warning-log.ts'
export type { WirePassReport as PassReport, WireReconciler as ReconcilerStanding } from './wire/reconciler-wire.ts'
