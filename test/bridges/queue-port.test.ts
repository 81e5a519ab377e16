import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'

const ROOT = path.resolve(import.meta.dirname, '../..')

test('the port that docs/queues.md tells is the one that stands in the files it names', () => {
  const page = readFileSync(path.join(ROOT, 'docs/queues.md'), 'utf8')
  const cells = page.match(/^\|.*\(`[\w/-]+\.ts`\).*$/gm) ?? []
  const claims = cells.flatMap((line) => {
    const [, , shared = ''] = line.split('|')
    return [...shared.matchAll(/([^()]+)\(`([\w/-]+\.ts)`\)/g)].map(([, names = '', file = '']) => ({
      names: [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
      file: file.includes('/') ? file : `src/client/${file}`,
    }))
  })
  expect(claims.map(({ file }) => file)).toHaveLength(9)
  for (const { names, file } of claims) {
    const source = readFileSync(path.join(ROOT, file), 'utf8')
    for (const name of names) expect(source).toMatch(new RegExp(`^export .*\\b${name}\\b`, 'm'))
  }
})
