/** A command line that can't be understood; its message says what stands in the way. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What node:util's parseArgs throws is about the command line; everything else is about us. */
export function parsing<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    // parseArgs hands on all short options of one argument at once, and ends its stack where they are tens of thousands.
    if (error instanceof RangeError) throw new UsageError('an argument is too long to be read')
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code.startsWith('ERR_PARSE_ARGS_')) throw new UsageError((error as Error).message.split(/\.\s/)[0])
    throw error
  }
}
