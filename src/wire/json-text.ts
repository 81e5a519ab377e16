/** JSON over the wire: what is a bigint here is a decimal string there. */
import { z } from 'zod'
import type { JsonValue } from '../authority/json-value.ts'

/** A position of the log: a decimal string, because JavaScript rounds what JSON writes as a number. */
export const positionSchema = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,19})$/)
  .meta({ id: 'Position', description: 'A place in the log, as a decimal string. Later is higher.' })

/** Any value that JSON carries. */
export const jsonSchema = z.custom<JsonValue>((value) => value !== undefined).meta({ description: 'Any JSON value.' })

/** Throws for what is no position. */
export function positionOf(text: string): bigint {
  return BigInt(positionSchema.parse(text))
}
