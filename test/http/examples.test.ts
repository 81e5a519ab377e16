import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { needs } from '../support/needs.ts'
import { servedTo } from './support/callers.ts'
import { served } from './support/served.ts'

const SCRIPT = path.resolve(import.meta.dirname, '../../examples/worker.sh')

interface Script {
  readonly lines: AsyncIterator<string>
  /** The exit code, with what was said on standard error. */
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>
}

function run(url: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Script {
  const child = spawn(SCRIPT, args, { env: { PATH: process.env.PATH ?? '', VERDICT_URL: url, ...env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  const ended = once(child, 'close').then(([code]) => ({ code, stderr }))
  return { lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](), ended }
}

async function line({ lines }: Script): Promise<string> {
  return String((await lines.next()).value)
}

describe.skipIf(!needs('curl'))('examples/worker.sh', () => {
  test('begins an operation, works under its lease and completes it, as a service with a key', async () => {
    const { url, as, get } = await servedTo({ svc: { default: ['service'] } })
    const key = as('svc').headers.authorization?.replace('Bearer ', '') ?? ''
    const worker = run(url, ['2'], { VERDICT_KEY: key, VERDICT_STEP_SECONDS: '0' })
    const id = (await line(worker)).replace('began ', '')
    expect(await line(worker)).toBe('step 1 of 2')
    expect(await line(worker)).toBe('step 2 of 2')
    expect(JSON.parse(await line(worker))).toMatchObject({
      id,
      outcome: { status: 'completed', result: { steps: 2 } },
    })
    expect(await worker.ended).toEqual({ code: 0, stderr: '' })
    expect(await get(`/v1/operations/${id}`, as('svc'))).toMatchObject({
      body: { progress: { processed: 2, total: 2 } },
    })
  })

  test('stops when it is asked to', async () => {
    const { url, post, get } = await served()
    const worker = run(url, ['1000'], { VERDICT_STEP_SECONDS: '0.05' })
    const id = (await line(worker)).replace('began ', '')
    await post(`/v1/operations/${id}:cancel`, { reason: 'enough' })
    expect(await worker.ended).toEqual({ code: 0, stderr: '' })
    expect(await get(`/v1/operations/${id}`)).toMatchObject({
      body: { status: 'cancelled', outcome: { reason: 'asked to' } },
    })
  })
})
