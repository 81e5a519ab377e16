#!/usr/bin/env node
import module from 'node:module'
import { nodeVersionRefusal } from './node-version.ts'
import { keepNewObjectsYoung } from './young-objects.ts'

// Everything else is imported only after the check: on an old Node it would stop with a stack of syntax errors instead
// of a sentence. So this file and those above are written in what Node 18 understands.
const refusal = nodeVersionRefusal(process.versions.node)
if (refusal === undefined) {
  // Before anything is compiled: what is kept below is good for the flags that it was compiled with.
  keepNewObjectsYoung()
  // Compiled code is kept where Node keeps it (NODE_COMPILE_CACHE, or the folder for temporary files): a start takes a third less then.
  module.enableCompileCache?.()
  const { main } = await import('./verdict.ts')
  process.exitCode = await main(process.argv.slice(2))
} else {
  process.stderr.write(`${refusal}\n`)
  process.exitCode = 1
}
