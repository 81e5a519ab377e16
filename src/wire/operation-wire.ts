/** An operation over the wire. Open: a client tolerates members and statuses that it does not know. */
import { z } from 'zod'
import { claimantSchema, errorSchema } from '../authority/events.ts'
import { PRESENT_STATUSES, RESULT_CLASSES } from '../authority/status.ts'
import { jsonSchema, positionSchema } from './json-text.ts'

const at = z.int().meta({ description: 'Epoch ms, by the clock of the server.' })
const open = <T extends z.ZodObject>(schema: T) => schema.loose()

export const outcomeSchema = z
  .looseObject({
    status: z.string(),
    result: jsonSchema.optional(),
    error: open(errorSchema).optional(),
    reason: z.string().optional(),
    reasonCode: z.string().optional(),
    reconciliation: z.looseObject({ reasonCode: z.string() }).optional(),
  })
  .meta({ id: 'Outcome', description: 'How an operation ended: final, and the same for whoever asks.' })

export const phaseSchema = z
  .looseObject({
    name: z.string(),
    status: z.string(),
    attempt: z.int().optional(),
    startedAt: at.optional(),
    endedAt: at.optional(),
    result: jsonSchema.optional(),
    error: open(errorSchema).optional(),
  })
  .meta({ id: 'Phase' })

export const operationSchema = z
  .looseObject({
    id: z.string(),
    workspace: z.string(),
    owner: z.string(),
    number: z.int().meta({ description: 'Tells this life of the id from earlier and later ones.' }),
    kind: z.string(),
    name: z.string(),
    source: z.string().optional(),
    status: z.enum(PRESENT_STATUSES),
    resultClass: z.enum(RESULT_CLASSES),
    outcome: outcomeSchema.optional(),
    sequence: z.int().optional(),
    peer: jsonSchema.optional(),
    progress: z.looseObject({
      count: z.int(),
      message: z.string().optional(),
      percent: z.number().optional(),
      processed: z.number().optional(),
      total: z.number().optional(),
    }),
    attempt: z.int(),
    lease: z.looseObject({ epoch: z.int(), claimant: open(claimantSchema).optional(), open: z.boolean() }).optional(),
    phases: z.array(phaseSchema),
    phasesCompleted: z.int(),
    phasesTotal: z.int().optional().meta({ description: 'Of kinds that declare their phases.' }),
    registeredAt: at,
    startedAt: at.optional(),
    completedAt: at.optional(),
    elapsedMs: z.int(),
    notBeforeAt: at.optional(),
    cancel: z.looseObject({ requestedAt: at, deadlineAt: at, reason: z.string().optional() }).optional(),
    labels: z.record(z.string(), z.string()),
    key: z.string().optional(),
    retryOf: z.looseObject({ id: z.string(), number: z.int() }).optional(),
    input: jsonSchema.optional(),
    judgement: z.looseObject({ freshness: z.string() }),
    explanation: z.string().meta({ description: 'Where it stands and what happens next by itself, as a sentence.' }),
    problemClass: z.string(),
    contradictions: z.int(),
    reason: z
      .looseObject({ code: z.string(), sentence: z.string() })
      .optional()
      .meta({ description: 'Why it was ended by others, in words for operators.' }),
    diagnostics: z
      .looseObject({ error: open(errorSchema).optional(), lastError: open(errorSchema).optional() })
      .optional()
      .meta({ description: 'What was thrown, as its workers said it, secrets left out.' }),
    watchers: z.int().optional(),
  })
  .meta({ id: 'Operation' })

export const endedSchema = z
  .looseObject({ id: z.string(), status: z.enum(PRESENT_STATUSES), outcome: outcomeSchema.optional() })
  .meta({ id: 'Ended', description: 'The outcome where there is one; without it, the operation goes on.' })

/** An event as it stands in the log, in its place there. */
export const storedEventSchema = z.looseObject({
  revision: z.int(),
  position: positionSchema,
  type: z.string(),
  facts: z.record(z.string(), z.unknown()),
  content: z.record(z.string(), z.unknown()),
  metadata: z.looseObject({
    at,
    actor: z.string(),
    onBehalfOf: z.string().optional(),
    commandId: z.string(),
    commandType: z.string(),
  }),
})

export const historySchema = z
  .looseObject({
    events: z.array(storedEventSchema),
  })
  .meta({ id: 'History', description: 'The events of the newest life of an id, oldest first.' })
export type WireHistory = Readonly<z.infer<typeof historySchema>>

export const leaseSchema = z
  .looseObject({ cause: z.enum(['cancel_requested', 'attempt_lost', 'ended']).optional() })
  .meta({ id: 'LeaseStanding', description: 'Why to stop working; without a cause, go on.' })

export const overviewSchema = z
  .looseObject({
    workspace: z.string(),
    owner: z.string(),
    registryId: z.string().optional(),
    retired: z.boolean(),
    active: z.int(),
    retained: z.int(),
    waits: z.int(),
    watermark: z.int(),
    revision: z.int(),
    limits: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Owner' })
