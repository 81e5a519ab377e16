import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectVerdict } from '../../src/client/connect.ts'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { ServerProcess } from '../client/support/server-process.ts'
import { needs } from '../support/needs.ts'
import { RecordingLog } from '../support/recording-log.ts'

const EXAMPLES = path.resolve(import.meta.dirname, '../../examples')
const TIMEOUT = { timeout: 120_000 }

/** The two end in either order. */
const STORY = new RegExp(
  `^${[
    '{"status":"completed","result":{"rows":100}}',
    '{"status":"failed","error":{"message":"there are none yet"}}',
    'operation the second one failed: there are none yet',
    '(verdict\\.operation\\.(completed first|failed second)\n){2}$',
  ].join('\n')}`,
)

class Example {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
  stdout = ''

  constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(program, args, { env: { ...process.env, ...env } })
    onTestFinished(() => void this.child.kill('SIGKILL'))
    let stderr = ''
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    this.ended = once(this.child, 'close').then(([code]) => ({ code, stdout: this.stdout, stderr }))
  }
}

function connectedTo({ url }: ServerProcess, owner: string) {
  const verdict = connectVerdict(url, { log: new RecordingLog(), owner })
  onTestFinished(() => verdict.close({ grace: 0 }))
  return verdict
}

test('the service of the examples runs as it stands', TIMEOUT, async () => {
  const { url } = await ServerProcess.start()
  const service = new Example(process.execPath, [path.join(EXAMPLES, 'service.ts')], { VERDICT_SERVER: url })
  expect(await service.ended).toEqual({
    code: 0,
    stderr: '',
    stdout: expect.stringMatching(STORY),
  })
})

describe.skipIf(!needs('python3'))('in Python', () => {
  test('a worker claims, reports, follows a cancel and outlives a restart of the server', TIMEOUT, async () => {
    const server = await ServerProcess.start()
    const verdict = connectedTo(server, 'acme')
    const worker = new Example('python3', [path.join(EXAMPLES, 'worker.py'), server.url, 'sum', '3'])
    const first = await verdict.register('sum', { id: 'first', input: [1, 2, 3] })
    expect(await first.outcome()).toEqual({ status: 'completed', result: { sum: 6 } })
    await verdict.register('other', { id: 'not-its-kind', input: [1] })
    await server.restart()
    const second = await verdict.register('sum', { id: 'second', input: [1, 'x'] })
    expect(await second.outcome()).toEqual({ status: 'failed', error: { message: "'x' is no number" } })
    const third = await verdict.register('sum', { id: 'third', input: Array.from({ length: 30_000 }).map(() => 1) })
    await expect.poll(async () => (await third.snapshot())?.status, { timeout: 60_000 }).toBe('running')
    await third.cancel({ reason: 'too many' })
    expect(await third.outcome()).toMatchObject({ status: 'cancelled' })
    expect(await worker.ended).toEqual({
      code: 0,
      stdout: 'first completed\nsecond failed\nthird cancelled\n',
      stderr: '',
    })
    expect(await verdict.operation('not-its-kind').snapshot()).toMatchObject({ status: 'provisioning' })
  })

  test('a consumer of the events goes on where it was', TIMEOUT, async () => {
    const server = await ServerProcess.start()
    const verdict = connectedTo(server, 'acme')
    const place = path.join(freshFolder(), 'cursor.txt')
    const consumer = (count: number) =>
      new Example('python3', [path.join(EXAMPLES, 'consumer.py'), server.url, place, String(count)])
    const first = consumer(2)
    await verdict.register('k', { id: 'a' })
    expect((await first.ended).stdout.replace(/^\d+ /gm, '')).toBe(
      'verdict.registry.opened -\nverdict.operation.registered a\n',
    )
    await verdict.register('k', { id: 'b' })
    const second = consumer(2)
    await expect.poll(() => second.stdout, { timeout: 60_000 }).toMatch(/operation\.registered b\n$/)
    await server.restart()
    await verdict.register('k', { id: 'c' })
    expect((await second.ended).stdout.replace(/^\d+ /gm, '')).toBe(
      'verdict.operation.registered b\nverdict.operation.registered c\n',
    )
  })
})
