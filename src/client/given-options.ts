/** Options that are there: JavaScript hands over null where the types say an object, and a default does not catch it. */
import { invalidInput } from './operation-errors.ts'

/** The options. Throws OperationRejected (`invalid_command`) for what is no object. */
export function given<T extends object>(options: T, path = 'options'): T {
  if (typeof options !== 'object' || options === null) throw invalidInput(path, 'an object', options)
  return options
}
