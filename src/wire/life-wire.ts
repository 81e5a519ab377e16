/** One operation looked at closely, over the wire: what is ahead of it, its life in time, and the machine that it lives by. */
import { z } from 'zod'
import { jsonSchema } from './json-text.ts'

const at = z.int().meta({ description: 'Epoch ms, by the clock of the server.' })

const waitSchema = z.looseObject({
  waitId: z.string(),
  mode: z.string(),
  runId: z.string().optional(),
  deadlineAt: at,
  members: z.array(z.looseObject({ id: z.string(), number: z.int(), terminalRevision: z.int().optional() })),
})

const deadlineSchema = z.looseObject({ rule: z.string(), sinceAt: at, deadlineAt: at, lateAt: at.optional() })

const verdictSchema = z
  .looseObject({
    evidence: z.looseObject({
      rule: z.string(),
      attempt: z.int(),
      lastRevision: z.int(),
      judgedAt: at,
      graceMs: z.int(),
    }),
    reasonCode: z.string(),
    disposition: z.looseObject({ type: z.string() }),
  })
  .meta({ id: 'PreparedVerdict', description: 'The body of `:reconcile`, as its deadline allows it now.' })

export const offeredActionSchema = z
  .looseObject({
    action: z.string(),
    isLegal: z.boolean().meta({ description: 'Whether it would be accepted now.' }),
    isEntitled: z.boolean().meta({ description: 'Whether whoever asks may do it in this workspace.' }),
    roles: z.array(z.string()).meta({ description: 'Each of these may.' }),
    refusal: z.looseObject({ code: z.string(), message: z.string() }).optional().meta({ description: 'Why not.' }),
  })
  .meta({ id: 'OfferedAction' })

export const outlookSchema = z
  .looseObject({
    workspace: z.string(),
    owner: z.string(),
    id: z.string(),
    number: z.int(),
    status: z.string(),
    attempt: z.int(),
    policy: z
      .record(z.string(), jsonSchema)
      .nullable()
      .meta({ description: 'The numbers that judge it for life; null: nobody judges it.' }),
    origins: z.record(z.string(), z.string()).meta({
      description: '`default`, `kind` (as its kind says today) or `operation` (otherwise), by the path of each number.',
    }),
    deadlines: z.array(deadlineSchema),
    earliest: deadlineSchema
      .optional()
      .meta({ description: 'The deadline that counts; absent where nothing threatens.' }),
    graceMs: z.int().meta({ description: 'By so much deadlines move, for time in which nobody could be heard.' }),
    reconciler: z
      .looseObject({ mode: z.string(), isHeld: z.boolean(), isAway: z.boolean() })
      .meta({ description: 'What the reconciler of this node does with operations of this kind.' }),
    waits: z.array(waitSchema).meta({ description: 'Those that go on and miss it.' }),
    contradictions: z.array(z.looseObject({ claimed: z.string(), leaseEpoch: z.int().optional(), revision: z.int() })),
    actions: z.array(offeredActionSchema),
    verdict: verdictSchema.optional(),
  })
  .meta({ id: 'Outlook' })

const stretch = { fromAt: at, untilAt: at.optional().meta({ description: 'Absent while it goes on.' }) }
const attempt = z.int()

export const timelineSchema = z
  .looseObject({
    workspace: z.string(),
    owner: z.string(),
    id: z.string(),
    number: z.int(),
    isWhole: z.boolean().meta({ description: 'False where reading stopped before the end of a very long stream.' }),
    fromAt: at,
    untilAt: at,
    isOver: z.boolean(),
    queued: z.array(z.looseObject(stretch)),
    attempts: z.array(
      z.looseObject({
        ...stretch,
        attempt,
        claimant: z.looseObject({ id: z.string() }).optional(),
        ending: z.string().optional(),
      }),
    ),
    phases: z.array(z.looseObject({ ...stretch, phase: z.string(), attempt, ending: z.string().optional() })),
    silences: z
      .array(z.looseObject({ ...stretch, attempt, ms: z.int(), freshness: z.string() }))
      .meta({ description: 'Where nothing was heard of it for longer than its policy likes.' }),
    signs: z.array(at).meta({ description: 'When it was heard of, thinned where there are too many.' }),
    signsHeard: z.int(),
    steps: z
      .array(z.looseObject({ from: z.string(), to: z.string(), event: z.string(), at, revision: z.int() }))
      .meta({ description: 'The way that it took through the machine.' }),
    marks: z.array(z.looseObject({ at, type: z.string(), revision: z.int() })),
  })
  .meta({ id: 'Timeline' })

export const machineSchema = z
  .looseObject({
    states: z.array(z.looseObject({ status: z.string(), isTerminal: z.boolean(), resultClass: z.string().optional() })),
    moves: z.array(
      z.looseObject({ from: z.string(), to: z.string(), event: z.string(), guard: z.string().optional() }),
    ),
  })
  .meta({
    id: 'Machine',
    description: 'The states of an operation, and every move between them, by the event that is it.',
  })
