/** The reconciler over the wire: how it stands, what it is told, what a pass did. */
import { z } from 'zod'
import { isPrintable, utf8Length } from '../authority/bounds.ts'
import { onBehalfOfSchema } from './sender-wire.ts'

const at = z.int().meta({ description: 'Epoch ms, by the clock of the server.' })
const count = z.int().min(0)

const reportedOperationSchema = z.looseObject({
  workspace: z.string(),
  owner: z.string(),
  id: z.string(),
  kind: z.string(),
  rule: z.string().meta({ description: 'The deadline that has passed.' }),
  finding: z.string().meta({ description: 'What became of it, by the name of its count.' }),
  reasonCode: z.string().optional(),
})

const passCounts = {
  at,
  dryRun: z.boolean().meta({ description: 'Nothing was changed; the counts tell what would have been.' }),
  abstained: z.string().optional().meta({
    description: 'Why nobody was judged, where nobody was: clock_behind, clock_apart, rows_behind or orders_unread.',
  }),
  candidates: count.meta({
    description: 'Operations whose deadline has passed. Those of `reconciled` to `refused` add up to it.',
  }),
  reconciled: count,
  retried: count,
  cancelled: count,
  alive: count,
  skipped: count,
  outdated: count,
  observed: count,
  heldByBreaker: count,
  refused: count,
  attentionRaised: count,
  attentionCleared: count,
  waitsExpired: count,
}

export const passReportSchema = z
  .looseObject({ ...passCounts, operations: z.array(reportedOperationSchema) })
  .meta({ id: 'ReconcilerPass', description: 'What one pass found and did; the first 1,000 candidates one by one.' })
export type WirePassReport = Readonly<z.infer<typeof passReportSchema>>

const orderSchema = z.looseObject({ at, actor: z.string(), onBehalfOf: z.string().optional(), reason: z.string() })
const kind = z.string().meta({ description: 'Or `*`: every kind of which no newer word was said.' })

export const reconcilerSchema = z
  .looseObject({
    status: z.string().meta({
      description:
        'on; held (a breaker is open); abstaining (this clock is not that of the log); off (left to other nodes).',
    }),
    message: z.string().optional(),
    lastPass: z.looseObject(passCounts).optional(),
    lastFailure: z.looseObject({ at, message: z.string() }).optional(),
    clock: z.looseObject({ type: z.string(), byMs: z.number().optional() }),
    modes: z
      .array(
        z.looseObject({
          kind,
          mode: z.string().meta({ description: 'enforce, observe or off.' }),
          order: orderSchema.optional().meta({ description: 'Absent where it is only configured.' }),
        }),
      )
      .meta({ description: 'Kinds that are not named, and not covered by `*`, are enforced.' }),
    breakers: z
      .array(
        z.looseObject({
          kind: z.string(),
          openedAt: at,
          suspects: count.meta({ description: 'Dead, or about to be, when it opened.' }),
          active: count.meta({ description: 'Of so many active ones of the kind.' }),
          held: z.array(reportedOperationSchema).meta({
            description: 'What the last pass over everything left alone, as much as a report takes.',
          }),
        }),
      )
      .meta({ description: 'Those that are open on this node.' }),
    releases: z.array(z.looseObject({ kind, order: orderSchema })),
    unheard: z
      .array(z.looseObject({ from: at, to: at }))
      .meta({ description: 'Stretches in which nobody could be heard: deadlines move by them.' }),
  })
  .meta({ id: 'Reconciler', description: 'How the reconciler of this node stands, by what is on record by now.' })
export type WireReconciler = Readonly<z.infer<typeof reconcilerSchema>>

const NAME_BYTES_MAX = 128
const REASON_LENGTH_MAX = 1_024
const NAMES_MAX = 1_000

/** A name as the log takes it. */
export const nameSchema = z
  .string()
  .refine((text) => isPrintable(text) && utf8Length(text) >= 1 && utf8Length(text) <= NAME_BYTES_MAX, {
    message: `expected 1 to ${NAME_BYTES_MAX} bytes of printable text`,
  })
const reason = z
  .string()
  .refine((text) => text.trim() !== '' && text.length <= REASON_LENGTH_MAX, {
    message: `expected 1 to ${REASON_LENGTH_MAX} characters`,
  })
  .meta({ description: 'Why, for whoever reads the record.' })
const kindOrAll = nameSchema
  .optional()
  .meta({ description: 'Left out, or `*`: every kind, whatever was said of one of them before.' })
const names = z.array(nameSchema).max(NAMES_MAX).optional()

export const setModeSchema = z
  .strictObject({ kind: kindOrAll, mode: z.enum(['enforce', 'observe', 'off']), reason, onBehalfOf: onBehalfOfSchema })
  .meta({ id: 'SetReconcilerMode' })
export const releaseSchema = z
  .strictObject({ kind: kindOrAll, reason, onBehalfOf: onBehalfOfSchema })
  .meta({ id: 'ReleaseReconcilerBreaker' })
export const runSchema = z
  .strictObject({
    kinds: names,
    owners: names,
    workspaces: names.meta({ description: 'Default: all that the caller operates.' }),
    limit: z.int().min(0).optional().meta({ description: 'Operations that are reconciled at most.' }),
    dryRun: z.boolean().optional().meta({ description: 'Judge and count, change nothing.' }),
    withoutGrace: z
      .boolean()
      .optional()
      .meta({ description: 'Count all silence, also that in which no server ran: nobody was at work then.' }),
  })
  .meta({ id: 'RunReconciler' })
export type RunRequest = Readonly<z.infer<typeof runSchema>>
