/** A question that another thread asks of the rows: named by the module that has it, because functions can't be sent. */
import type { Projection, ProjectionTable } from '../../projections/projection.ts'
import type { ReadSession } from '../../projections/read-session.ts'

/** Where a value of a module is found. */
export interface ModuleExport {
  /** URL of a module, or a path from the working directory. */
  readonly module: string
  readonly name: string
}

/** Exported by its module: takes the rows as they are at one moment, and what it is asked with; what it gives is cloned. */
export type QuestionFunction = (session: ReadSession, ...parameters: never[]) => unknown

/** `F` is the type of the function, for those who ask. */
export interface Question<F extends QuestionFunction = QuestionFunction> extends ModuleExport {
  /** Whose rows. */
  readonly projection: string
  /** Never there: it only carries the type. */
  readonly functionType?: F
}

export type ParametersOf<F extends QuestionFunction> = Parameters<F> extends [unknown, ...infer P] ? P : never

/** How modules are loaded is up to who composes. */
export type LoadExport = (of: ModuleExport) => Promise<unknown>

/** Throws for what is no projection. */
export function assertProjection(value: unknown, { module, name }: ModuleExport): Projection {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Partial<Projection> // looked at below
  const isProjection =
    typeof given.name === 'string' &&
    /^[a-z0-9]+(-[a-z0-9]+)*$/.test(given.name) &&
    Number.isInteger(given.version) &&
    Number(given.version) >= 1 &&
    Array.isArray(given.tables) &&
    given.tables.length > 0 &&
    given.tables.every(isTable) &&
    (given.unknownEvents === 'skip' || given.unknownEvents === 'stop')
  if (isProjection) return value as Projection // as far as it can be seen from outside
  throw new Error(
    `'${name}' of ${module} is no projection: expected a kebab-case name, a version from 1, tables (name, columns, key, indexes, write, read, targets, evolve), and 'skip' or 'stop' for unknownEvents.`,
  )
}

/** The key columns come first: rows are written in the order of the columns, and found by the key. */
function isTable(value: unknown): boolean {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Partial<ProjectionTable<unknown>> // looked at below
  const { name, columns, key, indexes, write, read, targets, evolve } = given
  return (
    typeof name === 'string' &&
    name !== '' &&
    Array.isArray(columns) &&
    Array.isArray(key) &&
    key.length > 0 &&
    key.every((column, i) => columns[i]?.name === column) &&
    Array.isArray(indexes) &&
    [write, read, targets, evolve].every((part) => typeof part === 'function')
  )
}
