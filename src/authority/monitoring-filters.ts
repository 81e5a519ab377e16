/** What operations and registries may be asked for: the one vocabulary of lists, counts and facets, in process and over HTTP. */
import { z } from 'zod'
import { REASON_CODES } from './events.ts'
import { PRESENT_STATUSES, RESULT_CLASSES } from './status.ts'

const VALUES_MAX = 50
const LABELS_MAX = 8
const TEXT_LENGTH_MAX = 128

const values = z.array(z.string().min(1).max(TEXT_LENGTH_MAX)).min(1).max(VALUES_MAX)
const at = z.int()
/** Epoch ms; from inclusive, until exclusive. */
const range = z
  .strictObject({ from: at.optional(), until: at.optional() })
  .refine(({ from, until }) => from === undefined || until === undefined || from < until, {
    message: 'expected from to be before until',
  })

export const FRESHNESSES = ['fresh', 'late', 'likely_stale', 'reconciled', 'terminal', 'no_policy'] as const
export const PROBLEM_CLASSES = ['active_attention', 'terminal_follow_up', 'none'] as const

/** A record loses this name without a word, and the rest would be asked for. */
const labelsNotLost = z.custom<Record<string, string>>(
  (given) => typeof given !== 'object' || given === null || !Object.hasOwn(given, '__proto__'),
  'no operation has a label of the name __proto__',
)

/** Conditions combine freely: all of them must hold; of several values in one list any may. */
export const operationFilterSchema = z.strictObject({
  workspaces: values.optional(),
  owners: values.optional(),
  kinds: values.optional(),
  statuses: z.array(z.enum(PRESENT_STATUSES)).min(1).max(PRESENT_STATUSES.length).optional(),
  resultClasses: z.array(z.enum(RESULT_CLASSES)).min(1).max(RESULT_CLASSES.length).optional(),
  reasonCodes: z.array(z.enum(REASON_CODES)).min(1).max(REASON_CODES.length).optional(),
  freshness: z.array(z.enum(FRESHNESSES)).min(1).max(FRESHNESSES.length).optional(),
  problemClasses: z.array(z.enum(PROBLEM_CLASSES)).min(1).max(PROBLEM_CLASSES.length).optional(),
  /** Likely stale: somebody should look now. */
  attention: z.boolean().optional(),
  active: z.boolean().optional(),
  reconciled: z.boolean().optional(),
  contradicted: z.boolean().optional(),
  /** Each must be there with this value. */
  labels: labelsNotLost
    .pipe(z.record(z.string(), z.string()))
    .refine((labels) => Object.keys(labels).length > 0 && Object.keys(labels).length <= LABELS_MAX, {
      message: `expected 1 to ${LABELS_MAX} labels`,
    })
    .optional(),
  key: z.string().min(1).max(TEXT_LENGTH_MAX).optional(),
  ids: values.optional(),
  /** The beginning of the id, or of the name whatever its case. */
  text: z.string().min(1).max(TEXT_LENGTH_MAX).optional(),
  retryOf: z.string().min(1).max(TEXT_LENGTH_MAX).optional(),
  attemptAtLeast: z.int().min(1).optional(),
  registered: range.optional(),
  started: range.optional(),
  ended: range.optional(),
  activity: range.optional(),
})
export type OperationFilter = Readonly<z.infer<typeof operationFilterSchema>>

/** Which registries, of which there is one for each owner. All conditions must hold; of several values in one list any may. */
export const registryFilterSchema = z.strictObject({
  workspaces: values.optional(),
  owners: values.optional(),
  /** The beginning of the owner. */
  text: z.string().min(1).max(TEXT_LENGTH_MAX).optional(),
  /** Has operations under way. */
  active: z.boolean().optional(),
  /** Has active waits. */
  waiting: z.boolean().optional(),
  retired: z.boolean().optional(),
})
export type RegistryFilter = Readonly<z.infer<typeof registryFilterSchema>>
