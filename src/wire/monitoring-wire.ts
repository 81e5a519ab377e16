/** What monitors ask, over the wire: pages, counts, facets, stories, rates; each with the position that it rests on. */
import { z } from 'zod'
import type { HistoryEntry } from '../authority/questions.ts'
import { positionSchema } from './json-text.ts'
import { operationSchema, storedEventSchema, type WireHistory } from './operation-wire.ts'

const at = z.int().meta({ description: 'Epoch ms.' })
const lagSchema = z.looseObject({ events: z.int(), isMore: z.boolean(), ms: z.number() })
const asOf = {
  position: positionSchema.meta({ description: 'Everything up to it is in the answer, and nothing behind it.' }),
  lag: lagSchema.optional(),
}
const countSchema = z.looseObject({
  count: z.int(),
  isExact: z.boolean().meta({ description: 'False where counting stopped: at least so many.' }),
})
const counts = z.record(z.string(), countSchema)

export const facetsSchema = z
  .looseObject({
    statuses: counts,
    kinds: counts,
    reasonCodes: counts,
    freshness: counts,
    problemClasses: counts,
    position: positionSchema.optional(),
    lag: lagSchema.optional(),
  })
  .meta({ id: 'Facets' })

export const listedOperationSchema = z
  .looseObject({ ...operationSchema.shape, lastActivityAt: at, statusSinceAt: at })
  .meta({ id: 'ListedOperation', description: 'An operation without its payloads.' })

export const operationsPageSchema = z
  .looseObject({
    operations: z.array(listedOperationSchema),
    nextPageToken: z.string().optional().meta({ description: 'For the page behind this one; absent on the last one.' }),
    newer: z.int().meta({ description: 'What has come before the first page since it was read.' }),
    facets: facetsSchema.optional(),
    ...asOf,
  })
  .meta({ id: 'OperationsPage' })

export const countAnswerSchema = z.looseObject({ ...countSchema.shape, ...asOf }).meta({ id: 'Count' })

export const storySchema = z
  .looseObject({
    workspace: z.string(),
    owner: z.string(),
    id: z.string(),
    number: z.int(),
    standing: z.string(),
    explanation: z.string(),
    operation: listedOperationSchema.optional(),
    entries: z.array(storedEventSchema),
    hasMore: z.boolean(),
    ...asOf,
  })
  .meta({ id: 'Story' })

export const ownersPageSchema = z
  .looseObject({
    registries: z.array(
      z.looseObject({
        workspace: z.string(),
        owner: z.string(),
        registryId: z.string(),
        openedAt: at,
        newestAt: at,
        revision: z.int(),
        active: z.int(),
        retained: z.int(),
        waits: z.int(),
        watermark: z.int(),
        limits: z.record(z.string(), z.unknown()),
      }),
    ),
    nextPageToken: z.string().optional(),
    newer: z.int(),
    ...asOf,
  })
  .meta({ id: 'OwnersPage' })

export const ratesSchema = z
  .looseObject({
    points: z.array(z.looseObject({ kind: z.string(), fromAt: at, counts: z.record(z.string(), z.int()) })),
    ...asOf,
  })
  .meta({ id: 'Rates' })

/** An entry of a history, its event's members beside the others. */
export function entryOnWire({ revision, position, event, metadata }: HistoryEntry): WireHistory['events'][number] {
  return { revision, position: String(position), ...event, metadata }
}

/** Positions as text; nothing else in the answer changes. */
export function asOfOnWire<T extends { readonly position: bigint }>(
  answer: T,
): Omit<T, 'position'> & { readonly position: string } {
  return { ...answer, position: String(answer.position) }
}
