import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { CommandLine, type CommandLineOptions, verdict } from './support/command-line.ts'

interface Serving {
  readonly line: CommandLine
  readonly url: string
  readonly data: string
  readonly docs: string
}

/** The real program, listening. */
async function serving(args: readonly string[], options: CommandLineOptions = {}): Promise<Serving> {
  const line = new CommandLine(['serve', '--port', '0', '--json', ...args], options)
  onTestFinished(() => line.kill('SIGKILL'))
  const [chunk] = await once(line.child.stdout as NodeJS.ReadableStream, 'data')
  return { line, ...JSON.parse(String(chunk)) }
}

async function call(url: string, key?: string, init: RequestInit = {}) {
  const headers = {
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    'content-type': 'application/json',
  }
  const response = await fetch(url, { headers, ...init })
  return { status: response.status, body: JSON.parse(await response.text()) }
}

describe('verdict serve', () => {
  test('begins a log, says where everything is, serves, ends in order, and the next one knows what was', async () => {
    const data = path.join(freshFolder(), 'made', 'here')
    const first = await serving(['--data', data])
    expect(first).toMatchObject({ data: path.join(data, 'verdict.db'), page: first.url, docs: `${first.url}/docs` })
    const registered = await call(`${first.url}/v1/operations`, undefined, {
      method: 'POST',
      body: '{"kind":"k","id":"a"}',
    })
    expect(registered.status).toBe(201)
    const waiting = fetch(`${first.url}/v1/operations/a`, { headers: { prefer: 'wait=60' } })
    await expect.poll(() => call(`${first.url}/v1/operations/a`)).toMatchObject({ body: { watchers: 1 } })
    first.line.kill('SIGTERM')
    const answered = await waiting
    expect({ status: answered.status, body: await answered.json() }).toMatchObject({ status: 200, body: { id: 'a' } })
    expect(await first.line.ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    const second = await serving(['--data', data])
    expect(await call(`${second.url}/v1/operations/a`)).toMatchObject({ status: 200, body: { status: 'provisioning' } })
  })

  test('tells people in words', async () => {
    const line = new CommandLine(['serve', '--port', '0', '--store', 'memory:'])
    onTestFinished(() => line.kill('SIGKILL'))
    await once(line.child.stderr as NodeJS.ReadableStream, 'data')
    line.kill('SIGINT')
    const { code, stderr, stdout } = await line.ended
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: '' })
    expect(stderr).toMatch(
      /^verdict serves everybody on this machine\n {2}data {2}memory:\n {2}page {2}http:\/\/127\.0\.0\.1:\d+\n {2}API {3}http:\/\/127\.0\.0\.1:\d+\/v1\n {2}docs {2}http:\/\/127\.0\.0\.1:\d+\/docs\n/,
    )
  })

  test('ends at once when it is told so twice', async () => {
    const { line, url } = await serving(['--store', 'memory:'])
    // A request that never arrives in full: draining waits for it.
    const stuck = new AbortController()
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{')) })
    const init = {
      method: 'POST',
      body,
      duplex: 'half',
      signal: stuck.signal,
      headers: { 'content-type': 'application/json' },
    }
    const request = fetch(`${url}/v1/operations`, init as RequestInit).catch(() => 'cut')
    await call(`${url}/v1/workspaces/w/owners/o`)
    line.kill('SIGTERM')
    await refused(url)
    line.kill('SIGTERM')
    expect((await line.ended).code).toBe(143)
    expect(await request).toBe('cut')
  })

  test('refuses an address that others reach, unless callers have to say who they are', async () => {
    const folder = freshFolder()
    const open = await verdict('serve', '--host', '0.0.0.0', '--port', '0', '--data', folder)
    expect(open.code).toBe(125)
    expect(open.stderr).toMatch(/0\.0\.0\.0 can be reached by others.*verdict keys add/)
    expect(existsSync(path.join(folder, 'verdict.db'))).toBe(false)
    await verdict('keys', 'add', 'svc', '--role', 'service', '--data', folder)
    const { url } = await serving(['--host', '0.0.0.0', '--data', folder])
    expect(await call(`${url}/v1/workspaces/default/owners/o`)).toMatchObject({ status: 401 })
  })

  test('takes what a flag says before the environment, before the file, before the default', async () => {
    const folder = freshFolder()
    const file = path.join(folder, 'verdict.json')
    const server = { host: '127.0.0.3', port: 1, data: path.join(folder, 'of-file') }
    writeFileSync(file, JSON.stringify({ server, settings: { httpWaitSecondsMax: 7 }, limits: { maxConcurrent: 3 } }))
    const env = { VERDICT_HOST: '127.0.0.2', VERDICT_DATA: path.join(folder, 'of-environment'), VERDICT_CONFIG: file }
    const { url, data } = await serving(['--data', path.join(folder, 'of-flag')], { env })
    expect(data).toBe(path.join(folder, 'of-flag', 'verdict.db'))
    expect(url).toMatch(/^http:\/\/127\.0\.0\.2:/)
    const { body } = await call(`${url}/openapi.json`)
    expect(body.info.description).toContain('at most 7')
    const next = await serving([], { env: { ...env, VERDICT_HOST: '' } })
    expect(next).toMatchObject({ data: path.join(folder, 'of-environment', 'verdict.db') })
    expect(next.url).toMatch(/^http:\/\/127\.0\.0\.3:/)
  })

  test('refuses what it does not understand, and a port that is taken, with a sentence', async () => {
    const folder = freshFolder()
    const file = path.join(folder, 'verdict.json')
    writeFileSync(file, JSON.stringify({ server: { prot: 80 } }))
    for (const args of [['--port', '70000'], ['--port', 'x'], ['stray'], ['--config', file]]) {
      expect(await verdict('serve', ...args)).toMatchObject({ code: 2 })
    }
    const taken = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void taken.close())
    await once(taken, 'listening')
    const { port } = taken.address() as { readonly port: number }
    const { code, stderr } = await verdict('serve', '--store', 'memory:', '--port', String(port))
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringContaining('EADDRINUSE') })
  })
})

describe('verdict keys', () => {
  test('makes a key that is shown once, lists it without its secret, and revokes it for a server that runs', async () => {
    const folder = freshFolder()
    const made = await verdict('keys', 'add', 'billing', '--role', 'service', '--workspace', 'eu', '--data', folder)
    const key = made.stdout.toString().trim()
    expect(key).toMatch(/^vk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/)
    const file = path.join(folder, 'keys.json')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).not.toContain(key.slice(16))
    const { url } = await serving(['--data', folder])
    expect(await call(`${url}/v1/workspaces/eu/owners/o`, key)).toMatchObject({ status: 200 })
    const listed = await verdict('keys', 'list', '--data', folder)
    expect(listed.stdout.toString()).toMatch(/^[0-9a-f]{12} {2}billing {2}service in eu {2}since \S+Z\n$/)
    const id = key.slice(3, 15)
    expect(await verdict('keys', 'revoke', id, '--data', folder)).toMatchObject({ code: 0 })
    expect((await verdict('keys', 'list', '--json', '--data', folder)).stdout.toString()).toContain('revokedAt')
    await expect
      .poll(() => call(`${url}/v1/workspaces/eu/owners/o`, key), { timeout: 30_000 })
      .toMatchObject({ status: 401 })
    expect(await verdict('keys', 'revoke', '000000000000', '--data', folder)).toMatchObject({ code: 1 })
  })

  test('refuses what it does not understand, and a file that is something else', async () => {
    const folder = freshFolder()
    for (const args of [[], ['make'], ['add', 'x'], ['add', 'x', '--role', 'king'], ['revoke'], ['list', 'a', 'b']]) {
      expect(await verdict('keys', ...args, '--data', folder)).toMatchObject({ code: 2 })
    }
    expect(await verdict('keys', 'add', '\u0007', '--role', 'viewer', '--data', folder)).toMatchObject({ code: 125 })
    writeFileSync(path.join(folder, 'keys.json'), '{}')
    expect(await verdict('keys', 'list', '--data', folder)).toMatchObject({ code: 125 })
    expect(await verdict('serve', '--port', '0', '--data', folder)).toMatchObject({ code: 125 })
  })
})

/** Resolves when nothing listens at the address any more. */
async function refused(url: string): Promise<void> {
  await expect
    .poll(
      () =>
        fetch(url).then(
          () => 'listens',
          () => 'refused',
        ),
      { timeout: 30_000 },
    )
    .toBe('refused')
}
