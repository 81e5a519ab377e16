/**
 * Outcomes of many operations over the wire, asked for in one request. Each is told under its place in the list that was asked for: the
 * same operation may stand in it twice, and its address may be one that does not name its owner.
 */
import { z } from 'zod'
import { PRESENT_STATUSES } from '../authority/status.ts'
import { outcomeSchema } from './operation-wire.ts'
import { problemSchema } from './problem.ts'

export const outcomesAskedSchema = z
  .strictObject({
    operations: z
      .array(
        z.strictObject({
          workspace: z.string().optional(),
          owner: z
            .string()
            .optional()
            .meta({ description: 'With neither workspace nor owner: whoever has the operation.' }),
          id: z.string(),
        }),
      )
      .min(1),
  })
  .meta({ id: 'OutcomesAsked' })
export type OutcomesAsked = Readonly<z.infer<typeof outcomesAskedSchema>>

const index = z.int().meta({ description: 'Its place in the list that was asked for.' })
const status = z.enum(PRESENT_STATUSES)
const address = { workspace: z.string(), owner: z.string(), id: z.string() }

export const outcomeToldSchema = z
  .union([
    z.looseObject({ type: z.literal('ended'), index, ...address, status, outcome: outcomeSchema }),
    z.looseObject({ type: z.literal('active'), index, ...address, status }),
    z.looseObject({ type: z.literal('refused'), index, id: z.string(), problem: problemSchema }),
  ])
  .meta({ id: 'OutcomeTold', description: 'How it ended; or that it goes on; or why neither can be said.' })
export type WireOutcomeTold = Readonly<z.infer<typeof outcomeToldSchema>>

export const outcomesSchema = z
  .looseObject({ outcomes: z.array(outcomeToldSchema) })
  .meta({ id: 'Outcomes', description: 'One for each operation, in the order asked.' })

/** The first message of a stream of outcomes. */
export interface WireOutcomesOpen {
  /** How long it lasts at most. */
  readonly waitMs: number
  /** Something is written at least so often. */
  readonly pingMs: number
}

/** Names of the messages that are no outcomes. */
export const OUTCOMES_OPEN = 'open'
export const OUTCOMES_CLOSING = 'closing'
export const OUTCOMES_SLOW = 'slow'
