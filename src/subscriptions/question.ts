/** A question that another thread asks of the rows: named by the module that has it, because functions can't be sent. */
import type { Projection } from '../../projections/projection.ts'
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
    (given.unknownEvents === 'skip' || given.unknownEvents === 'stop')
  if (isProjection) return value as Projection // as far as it can be seen from outside
  throw new Error(
    `'${name}' of ${module} is no projection: expected a kebab-case name, a version from 1, tables, and 'skip' or 'stop' for unknownEvents.`,
  )
}
