import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { NODE_MAJOR_MIN, nodeVersionRefusal } from '../src/cli/node-version.ts'

test.each(['22.0.0', '22.12.0', '24.1.0', '100.0.0', '23.0.0-nightly'])('Node %s is new enough', (version) => {
  expect(nodeVersionRefusal(version)).toBeUndefined()
})

test.each(['21.9.0', '20.20.2', '18.0.0', '9.11.2'])('Node %s is refused with one sentence', (version) => {
  expect(nodeVersionRefusal(version)).toBe(`verdict needs Node 22 or later; this is Node ${version}.`)
})

test('the program refuses what the package declares unfit', () => {
  const { engines } = JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../package.json'), 'utf8'))
  expect(engines).toEqual({ node: `>=${NODE_MAJOR_MIN}` })
})
