import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { served } from '../http/support/served.ts'
import { verdict } from './support/command-line.ts'

/** A log in which so many operations of each kind were never started in time, and nobody watches. */
async function abandoned(counts: Readonly<Record<string, number>>): Promise<string> {
  const folder = freshFolder()
  const log = await openedAt(path.join(folder, 'verdict.db'), { reconciler: false })
  for (const [kind, count] of Object.entries(counts)) {
    for (let i = 0; i < count; i++) {
      await log.register(kind, { id: `${kind}-${i}`, owner: `owner-${i}`, policy: { provisioningTimeout: 1 } })
    }
  }
  await log.close()
  return folder
}

describe('verdict reconcile', () => {
  test('tells who would be ended, ends them within its scope, and the second time nobody', async () => {
    const folder = await abandoned({ export: 2, import: 1 })
    const dry = await verdict('reconcile', '--data', folder, '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout.toString()).toBe(
      'reconciled default/owner-0 export-0 (export): queued run.stale_queued\n' +
        'reconciled default/owner-1 export-1 (export): queued run.stale_queued\n' +
        'reconciled default/owner-0 import-0 (import): queued run.stale_queued\n' +
        'dry run, nothing was changed: candidates 3, reconciled 3, retried 0, cancelled 0, skipped 0, outdated 0, heldByBreaker 0, refused 0\n',
    )
    const scoped = await verdict('reconcile', '--data', folder, '--kinds', 'export,x', '--owners', 'owner-1', '--json')
    expect(JSON.parse(scoped.stdout.toString())).toMatchObject({ candidates: 1, reconciled: 1, dryRun: false })
    const limited = await verdict('reconcile', '--data', folder, '--limit', '1', '--workspaces', 'default', '--json')
    expect(JSON.parse(limited.stdout.toString())).toMatchObject({ candidates: 2, reconciled: 1, skipped: 1 })
    const rest = await verdict('reconcile', '--data', folder, '--json')
    expect(JSON.parse(rest.stdout.toString())).toMatchObject({ candidates: 1, reconciled: 1 })
    const none = await verdict('reconcile', '--data', folder, '--json')
    expect(JSON.parse(none.stdout.toString())).toMatchObject({ candidates: 0, operations: [] })
  })

  test('leaves what the breaker holds, says so, and goes on with a reason', async () => {
    const folder = await abandoned({ export: 21 })
    const held = await verdict('reconcile', '--data', folder)
    expect(held.code).toBe(1)
    expect(held.stderr).toMatch(/^verdict: 21 of 21 operations of "export" seem dead at once/)
    const given = ['--release', 'export', '--reason', 'they never ran', '--actor', 'mara']
    const released = await verdict('reconcile', '--data', folder, ...given)
    expect(released).toMatchObject({ code: 0, stderr: '' })
    expect(released.stdout.toString()).toBe('export: released\n')
    const done = await verdict('reconcile', '--data', folder, '--json')
    expect(done.code).toBe(0)
    expect(JSON.parse(done.stdout.toString())).toMatchObject({ candidates: 21, reconciled: 21 })
  })

  test('puts on record how far to go with a kind, for every process of the log', async () => {
    const folder = await abandoned({ export: 1, import: 1, a: 1 })
    const modes = ['--mode', 'export=observe', '--mode', 'import=off', '--reason', 'the queue is being moved']
    const ordered = await verdict('reconcile', '--data', folder, ...modes)
    expect(ordered).toMatchObject({ code: 0, stderr: '' })
    expect(ordered.stdout.toString()).toBe('export: observe\nimport: off\n')
    const pass = await verdict('reconcile', '--data', folder, '--json')
    expect(JSON.parse(pass.stdout.toString())).toMatchObject({ observed: 1, skipped: 1, reconciled: 1 })
    await verdict('reconcile', '--data', folder, '--mode', 'export=enforce', '--reason', 'moved')
    const next = await verdict('reconcile', '--data', folder, '--json')
    expect(JSON.parse(next.stdout.toString())).toMatchObject({ observed: 0, skipped: 1, reconciled: 1 })
  })

  test('says the same of a server as of the log that it serves, and does there what it does here', async () => {
    const folder = await abandoned({ export: 21, import: 1 })
    const here = await verdict('reconcile', '--data', folder, '--dry-run')
    const { url } = await served({ location: path.join(folder, 'verdict.db'), reconciler: false })
    const at = (...args: readonly string[]) => verdict('reconcile', '--server', url, ...args)
    const dry = await at('--dry-run')
    expect(dry).toMatchObject({ code: 1, stderr: '', stdout: here.stdout })
    expect(await at('--mode', 'import=off', '--reason', 'moving')).toMatchObject({ code: 0, stderr: '' })
    const released = await at('--release', 'export', '--reason', 'they never ran')
    expect(released).toMatchObject({ code: 0, stderr: '', stdout: Buffer.from('export: released\n') })
    const done = await at('--json')
    expect(done.code).toBe(0)
    expect(JSON.parse(done.stdout.toString())).toMatchObject({ candidates: 22, reconciled: 21, skipped: 1 })
    expect((await at('--kinds', 'import')).stdout.toString()).toMatch(/^skipped default\/owner-0 import-0 \(import\)/)
  })

  test('refuses what it does not understand, and a log that is not there', async () => {
    const orders = [
      ['--mode', 'export', '--reason', 'r'],
      ['--mode', 'export=fast', '--reason', 'r'],
      ['--mode', 'export=off'],
      ['--release', 'export', '--reason', ' '],
      ['--reason', 'r'],
    ]
    const stranger = ['--server', 'http://127.0.0.1:9', '--actor', 'mara']
    for (const args of [['--limit', 'x'], ['--kinds', ''], ['stray'], ...orders, stranger]) {
      expect(await verdict('reconcile', ...args)).toMatchObject({ code: 2 })
    }
    expect(await verdict('reconcile', '--data', path.join(freshFolder(), 'nowhere'))).toMatchObject({ code: 125 })
  })
})

describe('verdict config check', () => {
  function file(options: object): string {
    const place = path.join(freshFolder(), 'verdict.json')
    writeFileSync(place, JSON.stringify(options))
    return place
  }

  test('prints where a server would listen, with its secrets masked, and refuses fields that there are not', async () => {
    const server = { host: '0.0.0.0', store: 'esdb://user:secret@db:2113' }
    const { code, stdout } = await verdict('config', 'check', file({ server }))
    expect({ code, text: stdout.toString() }).toEqual({ code: 0, text: expect.not.stringContaining('secret') })
    expect(stdout.toString()).toMatch(/^server\n {2}host {20}0\.0\.0\.0\n {2}store {19}esdb:\/\/user:\*\*\*@db:2113\n/)
    const nested = await verdict('config', 'check', file({ server: { host: ['0.0.0.0'] } }))
    expect(nested).toMatchObject({ code: 1, stderr: expect.stringContaining('server.host: expected a text') })
    const stray = await verdict('config', 'check', file({ server: { prot: 1 } }))
    expect({ code: stray.code, stderr: stray.stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('there is no server.prot: it is one of host, port, data, store, keys, jwt'),
    })
  })

  test('prints the effective policy of each kind, durations as people write them', async () => {
    const { code, stdout } = await verdict(
      'config',
      'check',
      file({ kinds: { export: { policy: { staleAfter: '90s', retry: { maxAttempts: 3 } } } } }),
    )
    expect(code).toBe(0)
    const [own, others] = stdout.toString().split('*\n')
    expect(own).toMatch(/^export\n {2}provisioningTimeout {5}1d\n/)
    expect(own).toContain('  staleAfter              1m 30s\n')
    expect(own).toContain('  heartbeatInterval       30s\n')
    expect(own).toContain('  maxRuntime              off\n')
    expect(own).toContain('  retry.maxAttempts       3\n')
    expect(own).toContain('  retry.backoff.initial   1s\n')
    expect(others).toContain('  staleAfter              5m\n')
  })

  test('tells everything that contradicts itself, with both numbers and the way out', async () => {
    const policy = { heartbeatInterval: '60s', staleAfter: '90s' }
    const { code, stderr } = await verdict('config', 'check', file({ kinds: { a: { policy }, b: { policy } } }))
    expect(code).toBe(1)
    expect(stderr).toMatch(/kind "a".*heartbeatIntervalMs = 60000, staleAfterMs = 90000.*raise/)
    expect(stderr).toMatch(/kind "b"/)
  })
})
