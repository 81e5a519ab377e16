import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { expect, test } from 'vitest'
import { freshFolder, openedAt } from './support/opened-verdict.ts'

const APP = path.resolve(import.meta.dirname, '../../src/app.ts')

const program = (file: string, text: string) => [
  '--input-type=module',
  '--eval',
  `import { openVerdict } from ${JSON.stringify(APP)}
   const verdict = await openVerdict(${JSON.stringify(file)})
   ${text}`,
]

test('a program that only waits for what others do goes on until it is known', async () => {
  const file = path.join(freshFolder(), 'verdict.db')
  const verdict = await openedAt(file)
  const handle = await verdict.register('k', { id: 'a' })
  const text = `console.log('waiting'); console.log(JSON.stringify(await verdict.operation('a').outcome()))`
  const child = spawn(process.execPath, program(file, text), { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  await once(child.stdout, 'data')
  await handle.cancel({ reason: 'from elsewhere' })
  expect(await once(child, 'close')).toEqual([0, null])
  expect(printed).toBe('waiting\n{"status":"cancelled","reason":"from elsewhere"}\n')
})

test('a program that waits for nothing ends, though it never closed its log', () => {
  const file = path.join(freshFolder(), 'verdict.db')
  const text = `console.log((await verdict.register('k', { id: 'a' })).id)`
  expect(execFileSync(process.execPath, program(file, text), { encoding: 'utf8' })).toBe('a\n')
})
