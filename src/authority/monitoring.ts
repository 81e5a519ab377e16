/**
 * The questions of monitors and what they are answered: the one vocabulary of the read models that know the answers, of the
 * doors that pass them on, and of the client that hands them out. Every answer names the position of the log that it rests on.
 */
import { z } from 'zod'
import type { Limits, WaitMode } from './events.ts'
import type { Freshness, ProblemClass } from './freshness.ts'
import { operationFilterSchema, registryFilterSchema } from './monitoring-filters.ts'
import type { OperationView } from './operation-view.ts'
import type { HistoryEntry, RegistryAddress } from './questions.ts'
import type { PresentStatus } from './status.ts'
import type { StoryStep } from './story.ts'

export const PAGE_SIZE = 50
export const PAGE_SIZE_MAX = 1_000
/** "99 newer" and "many newer" are the same to whoever reads pages. */
export const NEWER_MAX = 100
/** Counting stops here: "10,000+" tells as much. */
export const COUNT_MAX = 10_000
/** Events of one page of a story. */
export const STORY_PAGE_MAX = 1_000
/** Steps that one question for rates may ask for. */
export const RATE_STEPS_MAX = 2_000
const KINDS_MAX = 50
const WORKSPACES_MAX = 1_000
const TIMEOUT_MS_MAX = 600_000

export const OPERATION_SORTS = ['newest_activity', 'oldest_in_status', 'longest_running', 'most_overdue'] as const
export type OperationSort = (typeof OPERATION_SORTS)[number]
export const REGISTRY_SORTS = ['newest_activity', 'most_active', 'most_waits', 'owner'] as const
export type RegistrySort = (typeof REGISTRY_SORTS)[number]

const MINUTE_MS = 60_000
export const RATE_STEPS_MS = {
  minute: MINUTE_MS,
  '5 minutes': 5 * MINUTE_MS,
  hour: 60 * MINUTE_MS,
  day: 24 * 60 * MINUTE_MS,
} as const
export type RateStep = keyof typeof RATE_STEPS_MS

const freshness = {
  /** The rows are to show at least everything up to here, as a command's answer names it. Default: all that was answered here. */
  atLeast: z.bigint().min(0n).optional(),
  /** How long that is waited for. Default: the setting `questionTimeoutMs`. */
  timeoutMs: z.int().min(0).max(TIMEOUT_MS_MAX).optional(),
  /** Tell as well how far the rows lie behind the log. */
  withLag: z.boolean().optional(),
}
const page = {
  /** Default PAGE_SIZE. */
  pageSize: z.int().min(1).max(PAGE_SIZE_MAX).optional(),
  /** Of the page before. */
  pageToken: z.string().min(1).optional(),
}

export const operationsQuestionSchema = z.strictObject({
  filter: operationFilterSchema.optional(),
  /** Default: newest activity. */
  sort: z.enum(OPERATION_SORTS).optional(),
  ...page,
  /** Tell the facets of the filter as well, as of the same position. */
  withFacets: z.boolean().optional(),
  ...freshness,
})
export type OperationsQuestion = Readonly<z.infer<typeof operationsQuestionSchema>>

/** For the count and the facets of what a filter leaves. */
export const filterQuestionSchema = z.strictObject({ filter: operationFilterSchema.optional(), ...freshness })
export type FilterQuestion = Readonly<z.infer<typeof filterQuestionSchema>>

const address = { workspace: z.string().min(1), owner: z.string().min(1), id: z.string().min(1) }

export const storyQuestionSchema = z.strictObject({
  ...address,
  /** Of an earlier life of the id. Default: the newest. */
  number: z.int().min(0).optional(),
  /** Only events above this revision. */
  after: z.int().min(-1).optional(),
  /** Default STORY_PAGE_MAX. */
  limit: z.int().min(1).max(STORY_PAGE_MAX).optional(),
  ...freshness,
})
export type StoryQuestion = Readonly<z.infer<typeof storyQuestionSchema>>

export const ownersQuestionSchema = z.strictObject({
  filter: registryFilterSchema.optional(),
  /** Default: newest activity. */
  sort: z.enum(REGISTRY_SORTS).optional(),
  ...page,
  ...freshness,
})
export type OwnersQuestion = Readonly<z.infer<typeof ownersQuestionSchema>>

export const ratesQuestionSchema = z.strictObject({
  /** Summed; all of them where none is named. */
  workspaces: z.array(z.string().min(1)).min(1).max(WORKSPACES_MAX).optional(),
  /** All kinds where none is named. */
  kinds: z.array(z.string().min(1)).min(1).max(KINDS_MAX).optional(),
  /** Epoch ms; spans begin at multiples of the step. */
  fromAt: z.int(),
  /** Exclusive. */
  untilAt: z.int(),
  step: z.enum(Object.keys(RATE_STEPS_MS) as [RateStep, ...RateStep[]]), // there is one at least
  ...freshness,
})
export type RatesQuestion = Readonly<z.infer<typeof ratesQuestionSchema>>

/** What an answer rests on. */
export interface AsOf {
  /** Of the log: everything up to it is in the answer, and nothing behind it. */
  readonly position: bigint
  readonly lag?: MonitoringLag
}

/** How far rows lie behind the end of the log. */
export interface MonitoringLag {
  readonly events: number
  /** There are more than were counted. */
  readonly isMore: boolean
  /** For how long the first of them waits. */
  readonly ms: number
}

/** An operation as lists show it: without its payloads. */
export interface ListedOperation extends OperationView, RegistryAddress {
  /** Epoch ms of its last event, signs of life left aside. */
  readonly lastActivityAt: number
  readonly statusSinceAt: number
}

export interface OperationPage {
  readonly operations: readonly ListedOperation[]
  /** For the page behind this one; undefined on the last one. */
  readonly nextPageToken: string | undefined
  /** Rows that have come before the first page since it was read, counted up to NEWER_MAX. */
  readonly newer: number
}

export interface OperationsAnswer extends OperationPage, AsOf {
  readonly facets?: Facets
}

export interface Count {
  readonly count: number
  /** False where counting stopped at the cap: at least so many. */
  readonly isExact: boolean
}

export interface Facets {
  readonly statuses: Readonly<Partial<Record<PresentStatus, Count>>>
  readonly kinds: Readonly<Record<string, Count>>
  readonly reasonCodes: Readonly<Record<string, Count>>
  readonly freshness: Readonly<Record<Freshness, Count>>
  readonly problemClasses: Readonly<Record<ProblemClass, Count>>
}

export interface OperationStory extends AsOf, RegistryAddress {
  readonly id: string
  readonly number: number
  /** `hidden` by retention; `no_longer_held` by the read models, told by id only. The log has its events in any case. */
  readonly standing: 'listed' | 'hidden' | 'no_longer_held'
  /** What is known, and what happens next. */
  readonly explanation: string
  /** As lists show it, while the read models hold it. */
  readonly operation?: ListedOperation
  /** Oldest first; signs of life are left out. */
  readonly entries: readonly HistoryEntry[]
  /** The same in sentences, one for each entry. */
  readonly steps: readonly StoryStep[]
  /** There may be more events behind the last entry. */
  readonly hasMore: boolean
}

export interface ListedRegistry extends RegistryAddress {
  readonly registryId: string
  readonly openedAt: number
  readonly newestAt: number
  readonly revision: number
  readonly active: number
  readonly retained: number
  readonly waits: number
  /** Of its completion feed. */
  readonly watermark: number
  readonly limits: Limits
  readonly retired?: { readonly at: number; readonly reason: string }
}

export interface RegistryPage {
  readonly registries: readonly ListedRegistry[]
  /** For the page behind this one; undefined on the last one. */
  readonly nextPageToken: string | undefined
  /** Rows that have come before the first page since it was read, counted up to NEWER_MAX. */
  readonly newer: number
}

export interface ListedWait {
  readonly waitId: string
  readonly mode: WaitMode
  readonly members: number
  /** Members that have not ended. */
  readonly missing: number
  readonly runId?: string
  readonly beganAt: number
  readonly deadlineAt: number
}

/** What is counted, stored under these names. */
export const TRANSITIONS = [
  'registered',
  'started',
  'completed',
  'failed',
  'cancelled',
  'aborted',
  'retired',
  'terminated',
  /** Of those that ended: by a verdict of the reconciler. */
  'reconciled',
  'attempts_failed',
  'attempts_lost',
] as const
export type Transition = (typeof TRANSITIONS)[number]
export type TransitionCounts = Readonly<Record<Transition, number>>

export interface RatePoint {
  readonly kind: string
  readonly fromAt: number
  readonly counts: TransitionCounts
  /** ms, to within 4.5 per cent; undefined where no attempt was claimed or ended. */
  readonly queueWait: Quantiles | undefined
  readonly runTime: Quantiles | undefined
}

export interface Quantiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
}
