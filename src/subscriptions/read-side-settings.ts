/** The numbers of following; defaults and bounds stand in src/config.ts. */
export interface ReadSideSettings {
  readonly projectionBatchEventsMax: number
  readonly projectionBatchBytesMax: number
  readonly projectionBatchMs: number
  readonly projectionRestMs: number
  readonly rebuildBatchEventsMax: number
  readonly rebuildDiskShareMax: number
  readonly logPollMs: number
  readonly questionTimeoutMs: number
  readonly projectionLaggingMs: number
  readonly projectionStalledMs: number
  readonly projectionRetryMs: number
  readonly projectionRetryMsMax: number
  readonly listKeepMs: number | null
  readonly listKeepMax: number | null
  readonly listDeleteAfterMs: number
  readonly listRetentionEveryMs: number
  readonly listRetentionRowsMax: number
  readonly parkedTriesMax: number
  readonly parkedRetryMs: number
  readonly followLeaseMs: number
}
