/** Waits and the completion feed over the wire. */
import { z } from 'zod'
import { waitModeSchema } from '../authority/events.ts'
import { positionSchema } from './json-text.ts'
import { operationSchema, outcomeSchema } from './operation-wire.ts'
import { onBehalfOfSchema } from './sender-wire.ts'

export const beginWaitSchema = z
  .strictObject({
    mode: waitModeSchema,
    ids: z.array(z.string()).meta({ description: 'Of operations of this owner, in the order of the answer.' }),
    waitId: z.string().optional().meta({ description: 'To come back with, to any node. Minted where none is given.' }),
    runId: z.string().optional(),
    deadlineAt: z.int().min(0).optional().meta({ description: 'Epoch ms.' }),
    onBehalfOf: onBehalfOfSchema,
  })
  .meta({ id: 'BeginWait' })
export type BeginWait = Readonly<z.infer<typeof beginWaitSchema>>

export const waitViewSchema = z
  .looseObject({
    waitId: z.string(),
    mode: waitModeSchema,
    ending: z.string().optional().meta({ description: 'satisfied, expired or cancelled; absent while it goes on.' }),
    deadlineAt: z.int().optional().meta({ description: 'Epoch ms.' }),
    members: z.array(z.looseObject({ id: z.string(), number: z.int(), outcome: outcomeSchema.optional() })),
    winner: z.string().optional().meta({ description: 'Id of the first one, for a wait for any.' }),
  })
  .meta({ id: 'Wait' })

export const completionsSchema = z
  .looseObject({
    type: z.enum(['entries', 'gap']),
    entries: z
      .array(
        z.looseObject({
          sequence: z.int(),
          id: z.string(),
          number: z.int(),
          kind: z.string(),
          status: z.string(),
          revision: z.int(),
          completedAt: z.int(),
          wakeOwner: z.boolean(),
        }),
      )
      .optional(),
    watermark: z.int(),
    requestedAfter: z.int().optional(),
    droppedThrough: z.int().optional().meta({ description: 'Of a gap: read on after it.' }),
    nextAfter: z.int().meta({ description: 'What to pass as `after` to miss nothing.' }),
  })
  .meta({ id: 'Completions' })

export const cursorSchema = z.looseObject({ sequence: z.int() }).meta({ id: 'Cursor' })
export const moveCursorSchema = z.strictObject({ sequence: z.int().min(0) }).meta({ id: 'MoveCursor' })

export const collectedSchema = z
  .looseObject({
    operations: z.array(operationSchema),
    changed: z.boolean(),
    revision: z.int(),
    position: positionSchema,
    collected: z.looseObject({ fromSequence: z.int(), throughSequence: z.int() }).optional(),
  })
  .meta({ id: 'Collected' })
