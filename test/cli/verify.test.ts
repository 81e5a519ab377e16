import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { verdict } from './support/command-line.ts'

async function written(): Promise<string> {
  const folder = freshFolder()
  const log = await openedAt(path.join(folder, 'verdict.db'))
  await log.execute('k', { id: 'a', input: 'some input to find' }, () => 1)
  await log.close()
  return folder
}

test('a log in order is told with the head of each stream', async () => {
  const folder = await written()
  const { code, stdout } = await verdict('verify', '--data', folder)
  expect(code).toBe(0)
  expect(stdout.toString()).toMatch(/^registry-default\/default 3 [0-9a-f]{64}$/m)
  expect(stdout.toString()).toMatch(/^5 events in 2 streams, 0 faults$/m)
  const { stdout: json } = await verdict('verify', '--data', folder, '--json')
  expect(JSON.parse(json.toString())).toMatchObject({ events: 5, faults: [] })
})

test('a log whose content was changed is told with the place, and exit code 1', async () => {
  const folder = await written()
  const file = path.join(folder, 'verdict.db')
  const bytes = readFileSync(file)
  bytes.write('SOME', bytes.indexOf('some input to find'))
  writeFileSync(file, bytes)
  expect(await verdict('verify', '--data', folder)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /is damaged: the append at position \d+ \('registry-default\/default', revisions 0 to 2\)/,
    ),
  })
})

test('a log that is not there is not made, and a file that is no log is refused by name', async () => {
  const folder = freshFolder()
  expect(await verdict('verify', '--data', folder)).toMatchObject({
    code: 125,
    stderr: `verdict: there is no log at ${path.join(folder, 'verdict.db')}\n`,
  })
  expect(existsSync(path.join(folder, 'verdict.db'))).toBe(false)
  writeFileSync(path.join(folder, 'verdict.db'), 'this is no log')
  expect(await verdict('verify', '--data', folder)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is damaged'),
  })
})
