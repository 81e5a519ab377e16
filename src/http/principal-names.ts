/** How somebody may be called: the name is stored as the actor of events and stands in logs. */
import { z } from 'zod'
import { isPrintable, utf8Length } from '../authority/bounds.ts'

const NAME_BYTES_MAX = 128

export const nameText = z
  .string()
  .refine((name) => name.trim() !== '' && isPrintable(name) && utf8Length(name) <= NAME_BYTES_MAX, {
    message: `expected 1 to ${NAME_BYTES_MAX} bytes of printable text`,
  })
