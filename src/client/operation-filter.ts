/** Which operations of an owner somebody wants to see. */

import type { OperationSnapshot } from '../authority/questions.ts'
import type { PresentStatus, ResultClass } from '../authority/status.ts'
import { given } from './given-options.ts'
import { invalidInput } from './operation-errors.ts'

/** All that is given must hold; of a list, one. */
export interface OperationFilter {
  readonly status?: PresentStatus | readonly PresentStatus[]
  readonly resultClass?: ResultClass | readonly ResultClass[]
  readonly kind?: string | readonly string[]
  readonly key?: string | readonly string[]
  /** Each of them. */
  readonly labels?: Readonly<Record<string, string>>
  /** Those that somebody should look at now. */
  readonly attention?: boolean
}

type Test = (operation: OperationSnapshot, wanted: unknown) => boolean

const TESTS: Readonly<Record<keyof OperationFilter, Test>> = {
  status: ({ status }, wanted) => isOneOf(status, wanted),
  resultClass: ({ resultClass }, wanted) => isOneOf(resultClass, wanted),
  kind: ({ kind }, wanted) => isOneOf(kind, wanted),
  key: ({ key }, wanted) => isOneOf(key, wanted),
  labels: ({ labels }, wanted) => Object.entries(wanted ?? {}).every(([name, value]) => labels[name] === value),
  attention: ({ problemClass }, wanted) => (problemClass === 'active_attention') === wanted,
}

/** Throws OperationRejected for a filter that is not known: an error of writing must not look like an empty list. */
export function operationsLike(
  operations: readonly OperationSnapshot[],
  filter: OperationFilter,
): readonly OperationSnapshot[] {
  const tests = Object.entries(given(filter, 'filter')).flatMap(([name, wanted]) => {
    if (!Object.hasOwn(TESTS, name))
      throw invalidInput(`filter.${name}`, `one of ${Object.keys(TESTS).join(', ')}`, name)
    const test = TESTS[name as keyof OperationFilter]
    return wanted === undefined ? [] : [(operation: OperationSnapshot) => test(operation, wanted)]
  })
  return operations.filter((operation) => tests.every((holds) => holds(operation)))
}

function isOneOf(value: string | undefined, wanted: unknown): boolean {
  return Array.isArray(wanted) ? wanted.includes(value) : value === wanted
}
