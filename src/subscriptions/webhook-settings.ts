/** The numbers of webhooks; defaults and bounds stand in src/config.ts. */
export interface WebhookSettings {
  readonly webhookRetryScheduleMs: readonly number[]
  readonly webhookTimeoutMs: number
  readonly webhookDisableAfterMs: number
  readonly webhookInFlightMax: number
  readonly webhookBacklogMax: number
  readonly webhookEndpointsMax: number
  readonly webhookRetentionMs: number
  readonly projectionRetryMs: number
  readonly projectionRetryMsMax: number
  readonly followLeaseMs: number
  readonly logPollMs: number
}
