import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { ServerProcess } from '../client/support/server-process.ts'
import { CommandLine, type CommandLineOptions } from './support/command-line.ts'

/** Each test starts many processes, on a machine that others use as well. */
const TIMEOUT = { timeout: 300_000 }

/** The same command lines against a server and against a log. */
const PLACES = ['server', 'log'] as const

async function placed(place: (typeof PLACES)[number]) {
  const server = place === 'server' ? await ServerProcess.start() : undefined
  const data = server === undefined ? freshFolder() : ''
  const flags = server === undefined ? ['--data', data] : ['--server', server.url]
  const run = async (args: readonly string[], options?: CommandLineOptions) => {
    const { code, stdout, stderr } = await new CommandLine([...args, ...flags], options).ended
    return { code, stdout: stdout.toString(), stderr }
  }
  // A log that is not there is not begun by who only looks at it.
  if (server === undefined) await new CommandLine(['run', ...flags, '--id', 'first', '--', 'true']).ended
  return { run, flags, server }
}

describe.each(PLACES)('operations on a %s', (place) => {
  test('are begun, worked on and ended from a shell, with the lease in their answers', TIMEOUT, async () => {
    const { run } = await placed(place)
    const started = await run([
      ...['operations', 'start', 'import', '--id', 'a', '--name', 'March', '--label', 'team=data'],
      ...['--input', '{"file":"x"}', '--stale-after', '10m', '--json'],
    ])
    expect(started).toMatchObject({ code: 0, stderr: '' })
    const { operationId, leaseEpoch } = JSON.parse(started.stdout)
    expect(operationId).toBe('a')
    const lease = ['--lease', String(leaseEpoch)]
    const report = ['--processed', '4', '--total', '10', '--message', 'fourth']
    expect(await run(['operations', 'progress', 'a', ...lease, ...report])).toMatchObject({ code: 0 })
    const page = await run(['operations', 'get', 'a'])
    expect(page.stdout).toMatch(/^name {8}March$/m)
    expect(page.stdout).toMatch(/^progress {4}4\/10$/m)
    expect(page.stdout).toMatch(/^labels {6}team=data$/m)
    expect(await run(['operations', 'cancel', 'a', '--reason', 'enough'])).toMatchObject({ code: 0 })
    const beat = await run(['operations', 'heartbeat', 'a', ...lease])
    expect(beat.stdout).toBe(`a running lease ${leaseEpoch} cancel requested\n`)
    const completed = await run(['operations', 'complete', 'a', ...lease, '--result', '{"rows":10}'])
    expect(completed).toEqual({ code: 0, stdout: `a completed lease ${leaseEpoch}\n`, stderr: '' })
    const { stdout } = await run(['operations', 'get', 'a', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ status: 'completed', outcome: { result: { rows: 10 } } })
    const listed = await run([
      'operations',
      'list',
      '--kind',
      'import',
      '--status',
      'completed',
      '--label',
      'team=data',
    ])
    expect(listed.stdout).toMatch(
      /^ID +OWNER +KIND +STATUS +PROGRESS +FOR +NAME\na +default +import +completed +4\/10 .* March\n$/,
    )
    expect(JSON.parse((await run(['operations', 'list', '--status', 'running', '--json'])).stdout)).toEqual([])
    const story = await run(['operations', 'history', 'a'])
    expect(story.stdout).toMatch(/OperationRegistered[\s\S]*CancelRequested[\s\S]*OperationCompleted/)
  })

  test('go through phases, attempts and retirement by a verb for each word of a worker', TIMEOUT, async () => {
    const { run } = await placed(place)
    const told = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(['operations', ...args])
      return `${code} ${stdout}${stderr}`
    }
    const begun = async (id: string, kind = 'k') => {
      const { stdout } = await run(['operations', 'start', kind, '--id', id, '--json'])
      return ['--lease', String(JSON.parse(stdout).leaseEpoch)]
    }
    const lease = await begun('a')
    expect(await told('start-phase', 'a', ...lease, '--phase', 'read')).toMatch(/^0 a running/)
    expect(
      await told('fail-phase', 'a', ...lease, '--phase', 'read', '--message', 'no disk', '--code', 'ENOSPC'),
    ).toMatch(/^0 a running/)
    expect(await told('start-phase', 'a', ...lease, '--phase', 'read')).toMatch(/^0/)
    expect(await told('complete-phase', 'a', ...lease, '--phase', 'read', '--result', '{"rows":3}')).toMatch(/^0/)
    expect(await told('retry', 'a', ...lease, '--message', 'again', '--in', '1h')).toMatch(
      /^1 verdict: .*(attempt|retr)/s,
    )
    expect(await told('peer-ready', 'a', ...lease, '--peer', '"tcp://x"')).toMatch(/^1 verdict: .*peer/s)
    expect(await told('retire', 'a', '--on-behalf-of', 'ann')).toBe('0 a retiring\n')
    expect(await told('mark-retired', 'a', ...lease, '--reason', 'done with')).toMatch(/^0 a retired/)
    const history = (await run(['operations', 'history', 'a'])).stdout
    expect(history).toMatch(/PhaseStarted[\s\S]*PhaseFailed[\s\S]*PhaseCompleted[\s\S]*RetireRequested .* for ann\n/)
    const kept = JSON.parse((await run(['operations', 'get', 'a', '--json'])).stdout)
    expect(kept).toMatchObject({
      status: 'retired',
      phases: [{ name: 'read', status: 'completed', result: { rows: 3 } }],
    })

    await run(['operations', 'register', 'k', '--id', 'b', '--command-id', 'first'])
    expect(await told('rollback', 'b', '--registration', 'other')).toMatch(/^1 verdict: /)
    expect(await told('rollback', 'b', '--registration', 'first')).toMatch(/^0/)
    expect((await run(['operations', 'get', 'b'])).code).toBe(1)
    await run(['operations', 'register', 'k', '--id', 'c'])
    expect(await told('provisioning-failed', 'c', '--message', 'no room')).toMatch(/^0 c failed/)
    const other = await begun('d')
    expect(await told('force-cancel', 'd', ...other, '--reason', 'told to')).toMatch(/^0 d cancelled/)
  })

  test('that are refused or not there say so, by sentence and by exit code', TIMEOUT, async () => {
    const { run } = await placed(place)
    expect(await run(['operations', 'get', 'nobody'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'verdict: there is no operation nobody\n',
    })
    const refused = await run(['operations', 'complete', 'nobody', '--lease', '1', '--json'])
    expect({ code: refused.code, told: JSON.parse(refused.stdout).error.code }).toEqual({ code: 1, told: 'not_found' })
    for (const args of [
      [],
      ['ponder', 'a'],
      ['get'],
      ['complete', 'a', '--result', '{'],
      ['progress', 'a', '--percent', 'x'],
      ['start-phase', 'a'],
      ['peer-ready', 'a', '--peer', '{'],
      ['retry', 'a', '--message', 'm', '--in', 'soon'],
      ['fail-phase', 'a', '--phase', 'p'],
      ['rollback', 'a'],
    ]) {
      expect((await run(['operations', ...args])).code).toBe(2)
    }
  })

  test('are watched until they end, and events are told as they come', TIMEOUT, async () => {
    const { run, flags } = await placed(place)
    await run(['operations', 'register', 'k', '--id', 'a'])
    const tail = new CommandLine(['events', 'tail', '--from-start', '--json', '--operation', 'a', ...flags])
    const watch = new CommandLine(['operations', 'watch', 'a', ...flags])
    await tail.printed('verdict.operation.registered')
    await run(['operations', 'abort', 'a', '--reason', 'not wanted'])
    expect((await watch.ended).code).toBe(1)
    await tail.printed('verdict.operation.aborted')
    tail.kill('SIGINT')
    const { code, stdout } = await tail.ended
    expect(code).toBe(0)
    const events = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.map(({ type, subject }) => `${type} ${subject}`)).toEqual([
      'verdict.operation.registered a',
      'verdict.operation.aborted a',
    ])
    const rest = await run(['events', 'tail', '--no-follow', '--after', events[0].cursor])
    expect(rest.stdout).toMatch(/operation\.aborted {2}a\n$/)
  })
})

test('a command line runs as an operation of a server, and outlives its restart', TIMEOUT, async () => {
  const { run, flags, server } = await placed('server')
  const script = path.join(freshFolder(), 'go')
  const command = `while [ ! -e ${script} ]; do sleep 0.05; done; echo done`
  const running = new CommandLine(['run', ...flags, '--id', 'a', '--name', 'waits', '--', 'sh', '-c', command])
  await expect
    .poll(async () => JSON.parse((await run(['operations', 'get', 'a', '--json'])).stdout || '{}').status, {
      timeout: 60_000,
    })
    .toBe('running')
  await server?.kill()
  await new CommandLine(['run', '--data', freshFolder(), '--', 'touch', script]).ended
  await server?.restart()
  const { code, stdout } = await running.ended
  expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: 'done\n' })
  expect(JSON.parse((await run(['operations', 'get', 'a', '--json'])).stdout)).toMatchObject({ status: 'completed' })
})

test('a server that is not there, and a key in its address, are told with one sentence', TIMEOUT, async () => {
  const { code, stderr } = await new CommandLine(['operations', 'get', 'a'], {
    env: { VERDICT_SERVER: 'http://secret@localhost:1' },
  }).ended
  expect(code).toBe(2)
  expect(stderr).not.toContain('secret')
})

test.each([
  ['operations list', ['operations', 'list']],
  ['operations watch', ['operations', 'watch', 'a']],
  ["a worker's last word", ['operations', 'complete', 'a', '--lease', '0']],
  ['events tail', ['events', 'tail']],
  ['reconcile', ['reconcile', '--dry-run']],
])('a server that is not there is told at once and in one sentence by %s', TIMEOUT, async (_, args) => {
  const url = `http://127.0.0.1:${await freePort()}`
  const { code, stderr } = await new CommandLine([...args, '--server', url, '--wait', '0s']).ended
  const why = `connect ECONNREFUSED ${new URL(url).host}`
  expect({ code, stderr: stderr.toString() }).toEqual({
    code: 125,
    stderr: `verdict: ${url}: ${why}; nothing was sent\n`,
  })
})

test('a server that restarts is waited for, as long as --wait says', TIMEOUT, async () => {
  const { flags, server } = await placed('server')
  await server?.kill()
  const listing = new CommandLine(['operations', 'list', ...flags, '--wait', '60s'])
  await server?.restart()
  expect((await listing.ended).code).toBe(0)
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
