/** The package's door for embedding: everything that users of the API meet, and nothing of how it is made. */

export type { EmbeddedNode } from './app/embedded-node.ts'
export { EmbeddedVerdict } from './app/embedded-verdict.ts'
export { MEMORY_LOCATION } from './app/log-of-node.ts'
export type { OpenOptions, ReconcilerOptions } from './app/open-options.ts'
export type { ReadModelOptions } from './app/read-side-of-node.ts'
export type { WebhookOptions } from './app/webhooks-of-node.ts'
export { openNode, openVerdict } from './app.ts'
export type { CloudEvent } from './authority/cloud-event.ts'
export type { CommandAnswer } from './authority/command-answer.ts'
export type { Command, CommandOf, CommandType } from './authority/commands.ts'
export type { Claimant, DeadlineRule, Evidence, Limits, OperationError, ReasonCode } from './authority/events.ts'
export type { Judgement, ProblemClass } from './authority/freshness.ts'
export type { JsonValue } from './authority/json-value.ts'
export type {
  AsOf,
  Count,
  Facets,
  ListedOperation,
  ListedRegistry,
  OperationSort,
  OperationStory,
  RatePoint,
  RegistrySort,
} from './authority/monitoring.ts'
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
export type { RejectionCode, RejectionFacts } from './authority/rejections.ts'
export type { PresentStatus, ResultClass } from './authority/status.ts'
export type { WaitView } from './authority/wait-view.ts'
export type { CallOptions } from './client/command-sender.ts'
export type { VerdictDoor } from './client/door.ts'
export type { Duration, Moment } from './client/durations.ts'
export type { ErrorInput } from './client/error-input.ts'
export type { BoundOptions, KindOptions } from './client/kind-options.ts'
export { type ClaimOptions, Lease, type ProgressReport } from './client/lease.ts'
export type { EventsOptions } from './client/live-events.ts'
export {
  type ListOptions,
  type MonitoredOperations,
  OperationList,
  type OperationsWanted,
  type OwnersOptions,
  type OwnersWanted,
  type RatesOptions,
  type ReadOptions,
  type StoryOptions,
} from './client/monitored-operations.ts'
export type { MonitoringDoor } from './client/monitoring-door.ts'
export type { OperationAddress } from './client/operation-address.ts'
export {
  AttemptAborted,
  CompletionsDropped,
  EventsReplaced,
  OperationCancelled,
  OperationFailed,
  OperationRejected,
  WaitCancelled,
  WaitExpired,
} from './client/operation-errors.ts'
export { OperationHandle } from './client/operation-handle.ts'
export type { Attempt, AttemptFunction } from './client/operation-runner.ts'
export type { FirstOutcome, WaitOptions } from './client/operation-waits.ts'
export type { CompletionsOptions, OwnerOperations } from './client/owner-operations.ts'
export type { PolicyOptions } from './client/policy-options.ts'
export type { RegisterOptions } from './client/registration.ts'
export { type CloseOptions, type StartOptions, Verdict, type VerdictDefaults } from './client/verdict.ts'
export { SettingsError, type SettingsInput } from './config.ts'
export { LogError } from './event-store/event-store.ts'
export type { OpenBreaker } from './reconciler/breaker.ts'
export type { Testimony } from './reconciler/judgement.ts'
export type { Mode } from './reconciler/modes.ts'
export type { PassRequest } from './reconciler/pass.ts'
export type { Finding, PassReport, ReportedOperation } from './reconciler/pass-report.ts'
export type { Reconciler, ReconcilerStatus } from './reconciler/reconciler.ts'
export type { Witness, WitnessQuestion } from './reconciler/witness.ts'
export { ChannelClosed } from './runtime/channel-closed.ts'
export type { WarningLog } from './runtime/warning-log.ts'
export type { ProjectionHealth, ProjectionStatus } from './subscriptions/projection-health.ts'
export type { ModuleExport, Question } from './subscriptions/question.ts'
export type { AskOptions, ReadAnswer, ReadSide } from './subscriptions/read-side.ts'
export { ReadSideError } from './subscriptions/read-side-error.ts'
export type { WebhookEndpointOptions } from './subscriptions/webhook-endpoint.ts'
export { WebhookError, type WebhookErrorCode } from './subscriptions/webhook-error.ts'
