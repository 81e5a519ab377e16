import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { OperationSnapshot } from '../../src/authority/questions.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { CommandLine, verdict } from './support/command-line.ts'

let data = ''
beforeEach(() => {
  data = path.join(freshFolder(), 'data')
})

/** The only operation in the log, read by another process than the one that wrote it. */
async function operation(owner = 'default'): Promise<OperationSnapshot> {
  const { operations } = await openedAt(path.join(data, 'verdict.db'))
  const [only, ...others] = await operations.list({ owner })
  if (only === undefined || others.length > 0) throw new Error(`expected one operation, met ${others.length + 1}`)
  const whole = await operations.get({ owner, id: only.id })
  if (whole === undefined) throw new Error(`${only.id} is listed, and not there`)
  return whole
}

const run = (...args: readonly string[]) => verdict('run', '--data', data, ...args)
const script = (text: string) => ['--', process.execPath, '-e', text]

describe('verdict run', () => {
  test('runs a command as an operation, and is its own exit code, output and nothing else', async () => {
    const ended = await run(
      ...['--owner', 'acme', '--kind', 'greeting', '--name', 'Greet', '--label', 'team=x', '--label', 'tier=a=b'],
      ...['--stale-after', '10m', '--max-runtime', '1h 30m'],
      ...script('process.stdout.write("hello\\n3/4"); process.stderr.write("mind the gap")'),
    )
    expect({ ...ended, stdout: ended.stdout.toString() }).toEqual({
      code: 0,
      signal: null,
      stdout: 'hello\n3/4',
      stderr: 'mind the gap',
    })
    expect(await operation('acme')).toMatchObject({
      kind: 'greeting',
      name: 'Greet',
      labels: { team: 'x', tier: 'a=b' },
      status: 'completed',
      outcome: { result: { exitCode: 0 } },
      attempt: 1,
      progress: { processed: 3, total: 4 },
      lease: { claimant: { host: expect.any(String), pid: expect.any(Number) } },
    })
  })

  test('passes bytes through untouched, in both directions', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const line = new CommandLine(['run', '--data', data, ...script('process.stdin.pipe(process.stdout)')], {
      input: 'x'.repeat(1_000_000),
    })
    expect((await line.ended).stdout.length).toBe(1_000_000)
    const bytes = await run(...script(`process.stdout.write(Buffer.from(Array.from({ length: 256 }, (_, b) => b)))`))
    expect(bytes.stdout.equals(all)).toBe(true)
  })

  test.each([
    ['an exit code', 'process.exit(3)', 3, { code: 'exit_3', details: { exitCode: 3 } }],
    [
      'a signal',
      'process.kill(process.pid, "SIGKILL")',
      137,
      { code: 'signal_SIGKILL', details: { signal: 'SIGKILL' } },
    ],
  ])('fails with %s of its command', async (_, text, code, error) => {
    expect((await run(...script(text))).code).toBe(code)
    expect((await operation()).outcome).toMatchObject({ status: 'failed', error })
  })

  test('fails with 127 where there is no such command, with 126 where it can not be run', async () => {
    const missing = await run('--', 'no-such-command-anywhere')
    expect(missing).toMatchObject({
      code: 127,
      stderr: expect.stringContaining("no-such-command-anywhere can't be run"),
    })
    expect((await operation()).outcome).toMatchObject({ status: 'failed', error: { code: 'not_started' } })
    const file = path.join(path.dirname(data), 'plain')
    writeFileSync(file, 'text')
    chmodSync(file, 0o644)
    expect(await run('--', file)).toMatchObject({ code: 126, stderr: expect.stringContaining('EACCES') })
  })

  test('starts nothing when it can not register', async () => {
    const mark = path.join(path.dirname(data), 'mark')
    mkdirSync(data)
    writeFileSync(path.join(data, 'verdict.db'), 'this is no log')
    const ended = await run(...script(`require('fs').writeFileSync(${JSON.stringify(mark)}, '')`))
    expect(ended).toMatchObject({ code: 125, stderr: expect.stringMatching(/^verdict: ./) })
    expect(existsSync(mark)).toBe(false)
  })

  test('starts nothing when there is no room', async () => {
    const log = await openedAt(path.join(path.dirname(data), 'verdict.db'))
    await log.register('k')
    const ended = await verdict(
      'run',
      '--data',
      path.dirname(data),
      '--max-concurrent',
      '1',
      ...script('console.log(1)'),
    )
    expect(ended).toMatchObject({ code: 125, stderr: 'verdict: 1 operations are active, at most 1 may be\n' })
    expect(ended.stdout.length).toBe(0)
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s asks for a cancel: the command may end by itself',
    async (signal) => {
      const line = new CommandLine([
        ...['run', '--data', data],
        ...script(
          'process.on("SIGTERM", () => { console.log("cleaning up"); process.exit(5) }); console.log("up"); setInterval(() => {}, 1e6)',
        ),
      ])
      await line.printed('up')
      line.kill(signal)
      expect(await line.ended).toMatchObject({ code: 5, stdout: Buffer.from('up\ncleaning up\n') })
      expect(await operation()).toMatchObject({
        status: 'cancelled',
        outcome: { status: 'cancelled', reason: `interrupted by ${signal}` },
        cancel: { reason: `interrupted by ${signal}` },
      })
    },
  )

  test('a command that ignores SIGTERM is killed after the grace, with all it started', async () => {
    const line = new CommandLine([
      ...['run', '--data', data, '--cancel-grace', '200ms'],
      ...[
        '--',
        'sh',
        '-c',
        'trap "" TERM; (trap "" TERM; while :; do sleep 0.05; done) & echo up; wait; while :; do sleep 0.05; done',
      ],
    ])
    await line.printed('up')
    line.kill('SIGINT')
    // It ends when nobody holds its output any longer, so all of them are gone.
    expect((await line.ended).code).toBe(137)
    expect((await operation()).status).toBe('cancelled')
  })

  test('a second Ctrl-C kills at once', async () => {
    const line = new CommandLine([
      ...['run', '--data', data],
      ...script('process.on("SIGTERM", () => console.log("never")); console.log("up"); setInterval(() => {}, 1e6)'),
    ])
    await line.printed('up')
    line.kill('SIGINT')
    await line.printed('never')
    line.kill('SIGINT')
    expect((await line.ended).code).toBe(137)
    expect((await operation()).status).toBe('cancelled')
  })

  test('killed with -9 it leaves an operation that is found stale and is ended with the evidence', async () => {
    const line = new CommandLine([
      ...['run', '--data', data, '--stale-after', '1s'],
      ...script('console.log("up"); setInterval(() => console.log("still here"), 20)'),
    ])
    await line.printed('up')
    line.kill('SIGKILL')
    expect((await line.ended).signal).toBe('SIGKILL')
    const clock = new HandMovedClock(Date.now() + 60_000)
    const log = await openedAt(path.join(data, 'verdict.db'), { clock })
    const [lost] = await log.operations.list({ attention: true })
    expect(lost).toMatchObject({ status: 'running', judgement: { freshness: 'likely_stale' } })
    const { id = '', attempt = 0, judgement } = lost ?? {}
    const { rule = 'sign', deadlineAt } = judgement ?? {}
    await log.operation(id).reconcile({
      evidence: { rule, attempt, lastRevision: 3, deadlineAt, judgedAt: clock.now(), graceMs: 0 },
      reasonCode: 'run.stale_running',
      disposition: { type: 'fail' },
    })
    expect(await log.operation(id).outcome()).toMatchObject({ status: 'failed', reasonCode: 'run.stale_running' })
  })

  test('an operation that is ended from elsewhere takes its command with it', async () => {
    const line = new CommandLine([
      'run',
      '--data',
      data,
      '--id',
      'a',
      ...script('console.log("up"); setInterval(() => {}, 1e6)'),
    ])
    await line.printed('up')
    await (await openedAt(path.join(data, 'verdict.db'))).operation('a').forceCancel({ reason: 'operator' })
    expect((await line.ended).code).toBe(143)
    expect((await operation()).outcome).toEqual({ status: 'cancelled', reason: 'operator' })
  })

  test('tells on request which operation it is and how it ended', async () => {
    const ended = await run('-v', '--id', 'backup-7', ...script(''))
    expect(ended).toMatchObject({
      code: 0,
      stderr: 'verdict: operation backup-7 began\nverdict: operation backup-7 completed\n',
    })
  })

  test('ends when nobody reads its output any more', async () => {
    const line = new CommandLine([
      'run',
      '--data',
      data,
      ...script('setInterval(() => console.log("y".repeat(10000)), 1)'),
    ])
    await line.printed('y')
    line.child.stdout?.destroy()
    expect((await line.ended).code).not.toBe(0)
    expect((await operation()).status).toBe('failed')
  })
})

describe('a command line that can not be understood', () => {
  test.each([
    [['run'], 'there is no command: verdict run [options] -- <command>'],
    [['run', '--'], 'there is no command: verdict run [options] -- <command>'],
    [['run', 'make'], 'the command stands behind "--", got "make" before it'],
    [['run', '--label', 'team', '--', 'true'], '--label wants KEY=VALUE, got "team"'],
    [['run', '--max-concurrent', 'few', '--', 'true'], '--max-concurrent wants a whole number, got "few"'],
    [['run', '--colour', '--', 'true'], "Unknown option '--colour'"],
    [['verify', 'here'], 'verify takes no argument, got "here"'],
    [['explode'], 'there is no command "explode"'],
  ])('%j is refused with a sentence and exit code 2', async (args, sentence) => {
    expect(await verdict(...args)).toMatchObject({ code: 2, stderr: `verdict: ${sentence}; see "verdict --help"\n` })
  })

  test.each([
    ['--stale-after', 'soon'],
    ['--max-runtime', '1 week'],
    ['--cancel-grace', '5'],
  ])('%s %s is refused, and nothing is started', async (option, value) => {
    const ended = await run(option, value, ...script('console.log(1)'))
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain(`${option}: expected`)
    expect(ended.stdout.length).toBe(0)
  })

  test('help tells by example', async () => {
    for (const args of [['--help'], [], ['run', '--help'], ['verify', '-h']]) {
      const { code, stdout, stderr } = await verdict(...args)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout.toString()).toMatch(/^ {2}verdict (serve|run|verify) /)
    }
  })
})
