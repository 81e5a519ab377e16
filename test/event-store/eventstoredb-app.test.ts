import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openNode, openVerdict } from '../../src/app.ts'
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

test('what outlives a process of a log on a server lies in the state directory, by the id of the log', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'verdict-app-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  onTestFinished(() => void vi.unstubAllEnvs())
  const server = await startServer()
  const passed = async () => {
    const node = await openNode(server.url)
    node.reconciler.start()
    const { abstained } = await node.reconcile()
    const { logId } = await node.store.identity()
    await node.door.close()
    return { abstained, logId }
  }
  vi.stubEnv('XDG_STATE_HOME', folder)
  const { logId } = await passed()
  const kept = [`${logId}-alive`, `${logId}-views`]
  expect(readdirSync(path.join(folder, 'verdict'))).toEqual(expect.arrayContaining(kept))
  // Where there is no such directory, nothing is kept, and everything else goes on.
  const file = path.join(folder, 'file')
  writeFileSync(file, '')
  vi.stubEnv('XDG_STATE_HOME', file)
  expect(await passed()).toEqual({ abstained: undefined, logId })
  expect(existsSync(path.join(file, 'verdict'))).toBe(false)
})
