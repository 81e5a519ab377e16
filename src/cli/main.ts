#!/usr/bin/env node
import { nodeVersionRefusal } from './node-version.ts'

// Everything else is imported only after the check: on an old Node it would stop with a stack of syntax errors instead
// of a sentence. So this file and the one above are written in what Node 18 understands.
const refusal = nodeVersionRefusal(process.versions.node)
if (refusal === undefined) {
  const { main } = await import('./verdict.ts')
  process.exitCode = await main(process.argv.slice(2))
} else {
  process.stderr.write(`${refusal}\n`)
  process.exitCode = 1
}
