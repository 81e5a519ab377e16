/** Commands over the wire: what is answered, alone and in a batch. */
import { z } from 'zod'
import type { CommandAnswer, CommandResult } from '../authority/command-answer.ts'
import type { Rejection } from '../authority/rejections.ts'
import { PRESENT_STATUSES } from '../authority/status.ts'
import { jsonSchema, positionSchema } from './json-text.ts'
import { outcomeSchema } from './operation-wire.ts'
import { type Problem, placeOfProblem, problemSchema, rejectionOfProblem } from './problem.ts'
import { onBehalfOfSchema } from './sender-wire.ts'
import { waitViewSchema } from './wait-wire.ts'

export const commandAnswerSchema = z
  .looseObject({
    changed: z.boolean().meta({ description: 'False when all was as the sender wants it already.' }),
    revision: z.int().meta({ description: 'Of the stream of this owner; -1 while it has no event.' }),
    position: positionSchema,
    id: z.string().optional().meta({ description: 'Of the operation.' }),
    number: z.int().optional(),
    status: z.enum(PRESENT_STATUSES).optional(),
    outcome: outcomeSchema.optional(),
    leaseEpoch: z.int().optional(),
    sequence: z.int().optional(),
    joined: z.boolean().optional(),
    cancelRequested: z.boolean().optional().meta({ description: 'Stop working, and say so.' }),
    nextHeartbeatBefore: z.int().optional().meta({ description: 'Epoch ms.' }),
    wait: waitViewSchema.optional(),
    terminated: z.int().optional(),
    collected: z.looseObject({ fromSequence: z.int(), throughSequence: z.int() }).optional(),
    unchanged: z
      .looseObject({ code: z.string(), message: z.string(), facts: z.record(z.string(), z.unknown()) })
      .optional()
      .meta({
        description: 'Why nothing happened, where what the sender wanted is so already or can no longer matter.',
      }),
  })
  .meta({ id: 'CommandAnswer' })
export type WireAnswer = Readonly<z.infer<typeof commandAnswerSchema>>

/** One command of a batch. */
export const batchEntrySchema = z
  .strictObject({
    workspace: z.string().optional().meta({ description: 'Default: that of the address.' }),
    owner: z.string().optional().meta({ description: 'Default: that of the address.' }),
    commandId: z.string().optional(),
    correlationId: z.string().optional(),
    causationId: z.string().optional(),
    traceparent: z.string().optional().meta({ description: 'W3C Trace Context. Default: that of the request.' }),
    onBehalfOf: onBehalfOfSchema,
    command: z.record(z.string(), jsonSchema).meta({ description: 'With its type, as the authority has it.' }),
  })
  .meta({ id: 'BatchEntry' })
export type BatchEntry = Readonly<z.infer<typeof batchEntrySchema>>

export const batchAnswerSchema = z
  .looseObject({
    results: z.array(
      z.union([
        z.looseObject({ type: z.literal('answered'), answer: commandAnswerSchema }),
        z.looseObject({ type: z.literal('refused'), problem: problemSchema }),
      ]),
    ),
  })
  .meta({ id: 'BatchAnswer', description: 'One result for each command, in the order in which they were given.' })
export type BatchAnswer = Readonly<z.infer<typeof batchAnswerSchema>>

export function answerOnWire({ position, operationId, ...answer }: CommandAnswer): WireAnswer {
  const text = String(position)
  // Plain data all through: what is read-only here is only written there.
  return (
    operationId === undefined ? { ...answer, position: text } : { id: operationId, ...answer, position: text }
  ) as WireAnswer
}

/** The answer to a refusal that is none to its sender: all is so already, or can no longer matter. */
export function unchangedOnWire({ code, message, facts }: Rejection, answer: CommandAnswer): WireAnswer {
  return { ...answerOnWire(answer), unchanged: { code, message, facts } }
}

/** What a door promises of a command, from what came over the wire: an idempotent refusal is one again. */
export function resultFromWire(answer: WireAnswer): CommandResult {
  const { position, id, unchanged, ...rest } = answer
  const place = BigInt(position)
  if (unchanged !== undefined) {
    const { code, message, facts } = unchanged
    const rejection = { code, message, facts, idempotent: true } as Rejection
    return { type: 'refused', rejection, place: { revision: answer.revision, position: place } }
  }
  const told = id === undefined ? { ...rest, position: place } : { ...rest, operationId: id, position: place }
  // The server's word for it; members that it added are carried along.
  return { type: 'answered', answer: told as CommandAnswer }
}

export function refusalFromWire(problem: Problem): CommandResult {
  const place = placeOfProblem(problem) ?? { revision: -1, position: 0n }
  return { type: 'refused', rejection: rejectionOfProblem(problem), place }
}
