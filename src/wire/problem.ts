/**
 * A refusal over the wire: RFC 9457 problem details. The facts of a rejection are members beside the standard ones, so that
 * whoever reads `detail` and whoever reads `currentStatus` find what they look for in one object.
 */
import { z } from 'zod'
import type { Place } from '../authority/command-answer.ts'
import type { Rejection, RejectionCode } from '../authority/rejections.ts'
import { positionSchema } from './json-text.ts'

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

export const problemSchema = z
  .looseObject({
    type: z.string().meta({ description: 'urn:verdict:problem: and the code.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What was asked, of which operation, what stands against it.' }),
    instance: z.string().optional().meta({ description: 'The request, as the log of the server names it.' }),
    code: z.string().meta({ description: 'Stable; listed in docs/errors.md.' }),
    retryable: z.boolean().meta({ description: 'Whether the same request may succeed later.' }),
    idempotent: z.boolean().optional(),
    operationId: z.string().optional(),
    number: z.int().optional(),
    currentStatus: z.string().optional(),
    command: z.string().optional(),
    outcome: z.unknown().optional(),
    limit: z.unknown().optional(),
    active: z.unknown().optional(),
    revision: z.int().optional(),
    position: positionSchema.optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details, with the facts of the refusal as members.' })
export type Problem = Readonly<z.infer<typeof problemSchema>>

const STANDARD_MEMBERS: ReadonlySet<string> = new Set([
  'type',
  'title',
  'status',
  'detail',
  'instance',
  'code',
  'retryable',
  'idempotent',
  'revision',
  'position',
])

/** The rejection that a problem was made of: the members that are nothing else are its facts. */
export function rejectionOfProblem(problem: Problem): Rejection {
  const facts = Object.fromEntries(Object.entries(problem).filter(([name]) => !STANDARD_MEMBERS.has(name)))
  return {
    // Newer servers may know more codes; whoever switches over them has a default.
    code: problem.code as RejectionCode,
    message: problem.detail,
    facts,
    ...(problem.idempotent === true ? { idempotent: true } : {}),
  }
}

/** Where the refusal was decided; undefined for one that needed no decision. */
export function placeOfProblem({ revision, position }: Problem): Place | undefined {
  return revision === undefined || position === undefined ? undefined : { revision, position: BigInt(position) }
}
