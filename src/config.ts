/**
 * Every number that someone may tune and that is not about kinds of operations: one place, a default, a unit in the name.
 * Checked before anything starts; a bad one stops the start with a sentence.
 */
import { getHeapStatistics } from 'node:v8'
import { z } from 'zod'

const count = z.int().min(0)
const ms = z.int().min(0)
const positive = z.int().min(1)

const HOUR = 3_600_000
const DAY = 24 * HOUR

export const settingsSchema = z.strictObject({
  /** Appends that one command may lose to others before it is answered `contention`. */
  conflictsMax: positive.default(16),
  /** After so long an append whose fate is unknown its callers are answered `outcome_unknown`. */
  unknownWaitMs: ms.default(10_000),
  /** Progress beyond the first reports of an attempt is stored once in so long; 0 stores each report. */
  progressCoalesceMs: ms.default(1_000),
  progressStoredAtOnce: count.default(10),
  /** For waits that name no deadline. */
  waitDeadlineMs: positive.default(HOUR),
  waitDeadlineMsMax: positive.default(7 * 24 * HOUR),
  /**
   * Bytes of registries in memory, by estimate, beyond which those that nobody needs at the moment are let go. Where more than that is in
   * use all the time, most of the time goes into loading it again: by default a quarter of what Node gives the heap.
   */
  hotBytesMax: positive.default(() => Math.floor(getHeapStatistics().heap_size_limit / 4)),
  /** Events since the last snapshot that make a new one worth while when a registry is let go. */
  snapshotEvents: positive.default(1_000),
  /** Named cursors of one owner's completion feed. */
  cursorNamesMax: positive.default(64),
  /** How long a store that others write is waited for. */
  lockWaitMs: ms.default(2_000),
  /** The reconciler sleeps until the next deadline, but no longer than this. */
  reconcileSweepMs: positive.default(15_000),
  /** Between two passes of the reconciler, however many deadlines there are. */
  reconcileIntervalMinMs: positive.default(250),
  /** So many operations of a kind may be reconciled at once, whatever their share. */
  breakerOperationsMax: count.default(20),
  /** Of the active operations of a kind; above it none is reconciled before an operator releases them. */
  breakerShareMax: z.number().min(0).max(1).default(0.25),
  /** A node whose clock is further behind the log, or from another node's, judges nobody. */
  clockSkewMaxMs: ms.default(30_000),
  /** How often the reconciler marks that it can be heard; a pause that is shorter is not seen. */
  aliveMarkMs: positive.default(5_000),
  /** A witness that takes longer knows nothing. */
  witnessTimeoutMs: positive.default(2_000),
  /** What is written to standard error, a line of JSON for each thing, where no log of one's own is given. */
  logLevel: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('warn'),
  /** Events and bytes that are folded before they are written to the read models. */
  projectionBatchEventsMax: positive.default(4_000),
  projectionBatchBytesMax: positive.default(4 * 1024 * 1024),
  /**
   * From one write of a read model to the next, at least, where a hundred events come meanwhile: rows that are written together cost
   * much less. The first event after a pause waits for nothing.
   */
  projectionBatchMs: ms.default(25),
  /** The same while nobody of this process waits for its rows. */
  projectionRestMs: ms.default(200),
  rebuildBatchEventsMax: positive.default(5_000),
  /**
   * Of the time, while others write to a log on the same disk: what a rebuild may spend in flushes that are long enough for commands to
   * feel. It rests behind each; with 1 it never does.
   */
  rebuildDiskShareMax: z.number().min(0.001).max(1).default(0.015),
  /** How soon the read models notice what other processes append, at the latest. */
  logPollMs: positive.default(20),
  /** How long a question waits until the read models have reached the position that it needs. */
  questionTimeoutMs: ms.default(10_000),
  /** Behind by more than this, a read model is told as lagging; and as stalled when it has not moved for so long. */
  projectionLaggingMs: positive.default(1_000),
  projectionStalledMs: positive.default(5_000),
  /** After the log or the file of the read models failed; doubling up to the maximum. */
  projectionRetryMs: positive.default(250),
  projectionRetryMsMax: positive.default(30_000),
  /** Operations that ended longer ago leave the lists; null keeps them whatever their age. The log keeps all. */
  listKeepMs: ms.nullable().default(90 * DAY),
  /** So many operations that ended stay in the lists, the newest ends first; null keeps any number. */
  listKeepMax: count.nullable().default(2_000_000),
  /** From leaving the lists to leaving the read models. */
  listDeleteAfterMs: ms.default(7 * DAY),
  /** How often that is looked after, and rows of one step: others wait for it. */
  listRetentionEveryMs: positive.default(60_000),
  listRetentionRowsMax: positive.default(1_000),
  /** A parked stream is tried so often by itself, the first time after so long, then after twice as long each time. */
  parkedTriesMax: count.default(6),
  parkedRetryMs: positive.default(1_000),
  /** Another process follows in the place of one that was not heard of for so long. */
  followLeaseMs: positive.min(300).default(3_000),
  /**
   * Waited before each try of a webhook's delivery, up to a fifth longer each time; behind the last one it is given up. The
   * schedule of Standard Webhooks: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
   */
  webhookRetryScheduleMs: z
    .array(ms)
    .min(1)
    .max(64)
    .default([0, 5_000, 300_000, 1_800_000, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]),
  /** For a whole try: resolving, connecting, sending and being answered. */
  webhookTimeoutMs: positive.default(15_000),
  /** An endpoint to which nothing could be delivered for so long is disabled. */
  webhookDisableAfterMs: positive.default(5 * 24 * HOUR),
  /** Requests to one endpoint at once. */
  webhookInFlightMax: positive.max(64).default(4),
  /** An endpoint for which more deliveries wait is disabled. */
  webhookBacklogMax: positive.default(100_000),
  /** When a process ends, what is due is still sent for so long. */
  webhookDrainMs: ms.default(5_000),
  webhookEndpointsMax: positive.max(1_000).default(64),
  /** Deliveries stay in the log of deliveries for so long after they ended. */
  webhookRetentionMs: positive.default(30 * 24 * HOUR),
  nameBytesMax: positive.default(128),
  contentBytesMax: positive.max(448 * 1024).default(64 * 1024),
  labelsMax: count.default(16),
  labelNameBytesMax: positive.default(64),
  labelValueBytesMax: count.default(256),
  phasesMax: positive.default(64),
  waitMembersMax: positive.default(10_000),
  commandsQueuedMax: positive.default(4_096),
  appendBytesMax: positive.max(512 * 1024).default(512 * 1024),
  terminationBytesMax: positive.max(960 * 1024).default(960 * 1024),
  jsonDepthMax: positive.max(512).default(64),
  /** Of one request over HTTP. */
  httpBodyBytesMax: positive.default(4 * 1024 * 1024),
  httpHeaderBytesMax: positive.min(1_024).default(16 * 1024),
  httpBatchCommandsMax: positive.default(256),
  /** However long a caller prefers to wait. */
  httpWaitSecondsMax: count.default(60),
  /** Requests that wait at once; more are answered at once with what is so. */
  httpWaitsMax: count.default(20_000),
  /** Operations whose outcomes one request may ask for. */
  httpOutcomesMax: positive.default(1_000),
  /** Operations whose outcomes are waited for in streams, at once; a request for more is refused, to come back. */
  httpOutcomesWaitedMax: count.default(100_000),
  /** A request that takes longer to arrive is ended. */
  httpRequestTimeoutMs: positive.default(30_000),
  httpConnectionsMax: positive.default(25_000),
  /** Of one principal, or of one address where nobody has to say who he is; 0 sets no limit. */
  httpRequestsPerMinuteMax: count.default(600_000),
  /** Streams of live events and of outcomes at once. */
  httpStreamsMax: count.default(5_000),
  /** A stream in which nothing happens says so this often, more or less, so that nobody takes it for dead. */
  httpStreamPingMs: positive.default(20_000),
  /** A client that takes nothing for so long is disconnected; it goes on where it was when it comes back. */
  httpStreamSlowMs: positive.default(10_000),
  /** A session of somebody at a browser is over after so long, however it is used; and when nothing was asked with it for so long. */
  httpSessionMs: positive.default(12 * HOUR),
  httpSessionIdleMs: positive.default(HOUR),
  /** Sessions at once; for one more, the one that rested longest is over. */
  httpSessionsMax: positive.default(10_000),
  /** How long the server waits for what is in flight when it is asked to end. */
  httpDrainMs: ms.default(10_000),
})

export type Settings = Readonly<z.infer<typeof settingsSchema>>
export type SettingsInput = Readonly<z.input<typeof settingsSchema>>

/** A setting that can't be: names it, what was expected, what was met. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly code = 'invalid_settings'
}

/** The settings with their defaults. Throws SettingsError. */
export function settingsOf(input: SettingsInput = {}): Settings {
  const parsed = settingsSchema.safeParse(input)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    if (issue?.code === 'unrecognized_keys') {
      const named = issue.keys.map((key) => `"${key}"`).join(', ')
      throw new SettingsError(
        `there is no setting ${named}: it is one of ${Object.keys(settingsSchema.shape).join(', ')}`,
      )
    }
    throw new SettingsError(`setting ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`)
  }
  const { waitDeadlineMs, waitDeadlineMsMax } = parsed.data
  if (waitDeadlineMs > waitDeadlineMsMax) {
    throw new SettingsError(
      `setting waitDeadlineMs = ${waitDeadlineMs} is above waitDeadlineMsMax = ${waitDeadlineMsMax}: lower it, or raise the other`,
    )
  }
  return parsed.data
}
