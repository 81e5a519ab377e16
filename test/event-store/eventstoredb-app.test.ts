import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openVerdict } from '../../src/app.ts'
import { startServer } from '../support/eventstoredb-rig.ts'

test.each(['memory:', 'sqlite:', 'a path', 'esdb:'])('verdict runs an operation on %s', async (store) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-app-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const locations: Record<string, string> = {
    'memory:': 'memory:',
    'sqlite:': `sqlite:${path.join(folder, 'one.db')}`,
    'a path': path.join(folder, 'two.db'),
    'esdb:': (await startServer()).url,
  }
  const verdict = await openVerdict(locations[store] ?? store)
  expect(await verdict.execute('export', {}, async () => 'done')).toBe('done')
  const [operation] = await verdict.operations.list()
  expect(operation).toMatchObject({ status: 'completed' })
  await verdict.close()
})

test('on one EventStoreDB a node answers for what another node began and ended', async () => {
  const server = await startServer()
  const [one, two] = [await openVerdict(server.url), await openVerdict(server.url)]
  let finish = (_result: string) => {}
  const begun = await one.start('export', {}, () => new Promise<string>((resolve) => (finish = resolve)))
  const outcome = two.operation(begun.id).outcome()
  finish('done')
  expect(await outcome).toEqual({ status: 'completed', result: 'done' })
  await Promise.all([one.close(), two.close()])
})
