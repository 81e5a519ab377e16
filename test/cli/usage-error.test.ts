import { parseArgs } from 'node:util'
import { expect, test } from 'vitest'
import { parsing, UsageError } from '../../src/cli/usage-error.ts'

test('a command line that can not be parsed is one that can not be understood, however long its arguments are', () => {
  for (const args of [['--nothing'], [`-${'x'.repeat(400_000)}`]]) {
    expect(() => parsing(() => parseArgs({ args, options: {}, allowPositionals: true }))).toThrow(UsageError)
  }
})
