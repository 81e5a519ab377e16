/** Filters at their border: what is none is refused in a sentence. */
import type { z } from 'zod'
import { type OperationFilter, operationFilterSchema } from '../src/authority/monitoring-filters.ts'
import { QuestionError } from './question-error.ts'

/** The filter as it may be asked. Throws QuestionError naming the condition and what is expected of it. */
export function checkedFilter(filter: unknown): OperationFilter {
  return filterBy(operationFilterSchema, filter)
}

/** The same for any filter that has a schema. */
export function filterBy<Filter>(schema: z.ZodType<Filter>, filter: unknown): Filter {
  const parsed = schema.safeParse(filter)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = issue?.path.map(String).join('.') ?? ''
  throw new QuestionError('bad_filter', `filter${place === '' ? '' : ` ${place}`}: ${issue?.message ?? 'not valid'}`)
}
