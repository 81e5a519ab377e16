/** Values of a query string, which are all text, as what they mean. */
import { z } from 'zod'

/** From 0, within what JavaScript counts exactly. */
export const wholeNumber = z
  .string()
  .regex(/^[0-9]{1,15}$/, 'expected a whole number from 0')
  .transform(Number)
