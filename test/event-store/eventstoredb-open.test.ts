import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { openEventStoreDb } from '../../src/event-store/eventstoredb.ts'
import { CursorEvents } from '../support/cursor-events.ts'
import { FAILURES, notLeader } from '../support/eventstoredb-messages.ts'
import { collect, openOn, startServer } from '../support/eventstoredb-rig.ts'

const CERTIFICATES = path.join(import.meta.dirname, 'certificates')
const CERTIFICATE = path.join(CERTIFICATES, 'localhost-cert.pem')
const TLS = {
  key: readFileSync(path.join(CERTIFICATES, 'localhost-key.pem')),
  cert: readFileSync(CERTIFICATE),
}
const STREAM = 'cursors-default/owner'

describe('an address', () => {
  test.each([
    ['http://localhost:2113', 'it must begin with esdb:// or esdb+discover://.'],
    ['esdb://localhost:port?tls=false', 'it is not well-formed.'],
    ['esdb://localhost:2113?throwOnAppendFailure=false', 'throwOnAppendFailure must stay true, as it is by default.'],
    [
      'esdb://localhost:2113?tls=false&throwonappendfailure=0',
      'throwOnAppendFailure must stay true, as it is by default.',
    ],
    [
      'esdb://localhost:2113?tlsVerifyCert=false',
      'certificates are always verified; name the authority that signed them with tlsCAFile=PATH.',
    ],
    ['esdb://localhost:2113?tlsCAFile=/nowhere/ca.pem', 'Failed to load certificate file. File was not found.'],
  ])('%s is refused: %s', async (connectionString, why) => {
    await expect(openEventStoreDb({ connectionString })).rejects.toMatchObject({
      name: 'LogError',
      code: 'log_unusable',
      message: `The address ${connectionString} can't be used: ${why}`,
    })
  })

  // The client would go on with the part of the password before its colon.
  test.each(['se:cret', 'se:c@ret', '%zz'])(
    'with the raw password %s is refused without showing it',
    async (password) => {
      const opening = openEventStoreDb({ connectionString: `esdb://admin:${password}@localhost:2113` })
      const error = await opening.catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'log_unusable' })
      expect(error.message).toContain("The address esdb://admin:***@localhost:2113 can't be used: ")
      expect(error.message).not.toContain(password)
    },
  )
})

describe('opening', () => {
  test.each(['22.10.5', '23.6.0', '5.0', ''])('refuses a server of the version "%s"', async (version) => {
    const server = await startServer({ version })
    await expect(openOn(server)).rejects.toMatchObject({
      code: 'log_unusable',
      message: `The server at ${server.url} is too old: Verdict needs EventStoreDB 23.10 or later, and this one says '${version}'.`,
    })
  })

  test('refuses a server that is too old to tell its version', async () => {
    const server = await startServer()
    server.featureFaults.push({ code: status.UNIMPLEMENTED, details: 'unknown service' })
    await expect(openOn(server)).rejects.toMatchObject({ message: expect.stringContaining("this one says 'unknown'") })
  })

  test.each(['23.10.0', '24.2.0', '25.0.1'])('takes a server of the version %s', async (version) => {
    const store = await openOn(await startServer({ version }))
    expect(store.health()).toEqual({ status: 'ok' })
  })

  test('says that nobody listens there', async () => {
    const server = await startServer()
    server.kill()
    await expect(openOn(server)).rejects.toMatchObject({
      code: 'log_unavailable',
      message: expect.stringMatching(/^No answer from the server at esdb:\/\/localhost:\d+\?tls=false: .*ECONNREFUSED/),
    })
  })

  test('says that a server is silent, within the deadline', async () => {
    const server = await startServer()
    server.featureFaults.push('silence')
    await expect(openOn(server, { openDeadlineMs: 100 })).rejects.toMatchObject({
      code: 'log_unavailable',
      message: expect.stringContaining('Asking for the version: no answer within 100 ms'),
    })
  })

  // The client keeps the first answer about capabilities for ever, a failure too.
  test('succeeds after the first question about capabilities failed', async () => {
    const server = await startServer()
    server.featureFaults.push(FAILURES.badRequest)
    await expect(openOn(server)).rejects.toMatchObject({ code: 'log_unavailable' })
    const store = await openOn(server)
    expect(await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())).toMatchObject({ revision: 0 })
  })

  test('refuses a user without rights', async () => {
    const server = await startServer()
    server.deniesAll = true
    await expect(openOn(server)).rejects.toMatchObject({ code: 'log_unusable' })
  })

  test('fails when the subscription can not be had', async () => {
    const server = await startServer()
    server.subscriptionFaults.push(FAILURES.denied)
    await expect(openOn(server)).rejects.toMatchObject({
      code: 'log_unusable',
      message: expect.stringContaining('refuses this user: it must exist and be allowed to read $all'),
    })
  })

  test('refuses a log that begins with something else', async () => {
    const server = await startServer()
    server.log.write('admin', { type: 'Started' })
    await expect(openOn(server)).rejects.toMatchObject({
      code: 'log_damaged',
      message: expect.stringContaining("Stream 'admin' at revision 0: an event of the type 'Started'"),
    })
  })

  test('gives one identity to all that open a new log at once, and keeps it', async () => {
    const server = await startServer()
    const stores = await Promise.all([1, 2, 3].map((node) => openOn(server, { newLogId: () => `log-${node}` })))
    const identities = await Promise.all(stores.map((store) => store.identity()))
    expect(new Set(identities.map(({ logId }) => logId)).size).toBe(1)
    expect(identities[0]?.timeline).toBe(1)
    expect(server.log.stream('admin')).toHaveLength(1)
    expect(await (await openOn(server)).identity()).toEqual(identities[0])
  })

  test.each([true, false])('begins a log although the first answer was lost (stored: %s)', async (stored) => {
    const server = await startServer()
    server.appendFaults.push({ type: 'fail', stored, failure: FAILURES.commitTimeout })
    const store = await openOn(server, { newLogId: () => 'log-1' })
    expect(await store.identity()).toEqual({ logId: 'log-1', timeline: 1 })
    expect(server.log.stream('admin')).toHaveLength(1)
  })
})

describe('with TLS', () => {
  test('a certificate of an unknown authority is refused with a sentence that names the setting', async () => {
    const server = await startServer({ tls: TLS })
    await expect(openOn(server)).rejects.toMatchObject({
      code: 'log_unusable',
      message: expect.stringMatching(/^No TLS with the server at .*certificate.*tlsCAFile=PATH/),
    })
  })

  test('a client without TLS finds no server, and is told of the setting', async () => {
    const server = await startServer({ tls: TLS })
    await expect(openOn(server, { connectionString: `${server.url}?tls=false` })).rejects.toMatchObject({
      code: 'log_unavailable',
      message: expect.stringContaining('For a server with TLS take tls=false away.'),
    })
  })

  test('a server without it is named as such', async () => {
    const server = await startServer()
    const connectionString = server.url.replace('?tls=false', '')
    await expect(openOn(server, { connectionString })).rejects.toMatchObject({
      message: expect.stringContaining('for a server without TLS add tls=false'),
    })
  })

  test('user and password of the address are sent, a colon in the password included', async () => {
    const server = await startServer({ tls: TLS, login: 'admin:se%3Acr%40et' })
    const store = await openOn(server, {
      connectionString: `${server.url}?tlsCAFile=${encodeURIComponent(CERTIFICATE)}`,
    })
    expect(await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())).toMatchObject({ revision: 0 })
    expect(await collect(store.readStream(STREAM))).toHaveLength(1)
    const wrong = server.url.replace('cr%40et', 'other')
    await expect(
      openOn(server, { connectionString: `${wrong}?tlsCAFile=${encodeURIComponent(CERTIFICATE)}` }),
    ).rejects.toMatchObject({ code: 'log_unusable' })
  })
})

describe('in a cluster', () => {
  test('a follower is asked for appends, and the leader for all that must see them', async () => {
    const leader = await startServer()
    const follower = await startServer({ log: leader.log })
    follower.leader = { address: 'localhost', port: leader.port }
    const store = await openOn(follower)
    const events = new CursorEvents(STREAM)
    expect(await store.append(STREAM, 'no_stream', events.next())).toMatchObject({ revision: 0 })
    expect(await store.head(STREAM)).toMatchObject({ revision: 0 })
    expect(await collect(store.readAll({ prefixes: [STREAM] }))).toHaveLength(1)
    expect(follower.calls.append).toBeGreaterThan(0)
    expect(leader.calls.read).toBeGreaterThan(0)
  })

  test('gossip leads to the leader', async () => {
    const leader = await startServer()
    const follower = await startServer({ log: leader.log })
    follower.leader = { address: 'localhost', port: leader.port }
    const connectionString = `esdb://localhost:${follower.port},localhost:${leader.port}?tls=false`
    const store = await openOn(leader, { connectionString })
    expect(await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())).toMatchObject({ revision: 0 })
    expect(follower.calls).toMatchObject({ append: 0, read: 0, subscribe: 0 })
  })

  test('the node preference of the address is kept for appends, and what must see them still asks the leader', async () => {
    const leader = await startServer()
    const follower = await startServer({ log: leader.log })
    follower.leader = { address: 'localhost', port: leader.port }
    leader.followers = [{ address: 'localhost', port: follower.port }]
    const hosts = `localhost:${leader.port},localhost:${follower.port}`
    const store = await openOn(leader, { connectionString: `esdb://${hosts}?tls=false&nodePreference=follower` })
    expect(await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next())).toMatchObject({ revision: 0 })
    expect(await store.head(STREAM)).toMatchObject({ revision: 0 })
    expect([leader.calls.append, follower.calls.append > 0, leader.calls.read > 0]).toEqual([0, true, true])
  })

  test('that can not be found is named as such', async () => {
    const server = await startServer()
    server.kill()
    const connectionString = `esdb+discover://localhost:${server.port}?tls=false`
    await expect(openOn(server, { connectionString })).rejects.toMatchObject({
      code: 'log_unavailable',
      message: expect.stringContaining('Failed to discover after 10 attempts.'),
    })
  })

  test('a change of leader in the middle of reading loses and doubles nothing', async () => {
    const server = await startServer()
    const store = await openOn(server)
    await store.append(STREAM, 'no_stream', new CursorEvents(STREAM).next(200))
    const leader = { address: 'localhost', port: server.port }
    server.readFaults.push(
      { type: 'fail', failure: notLeader(leader), afterEvents: 0 },
      { type: 'fail', failure: FAILURES.notReady, afterEvents: 70 },
      { type: 'fail', failure: FAILURES.brokenStream, afterEvents: 3 },
    )
    const revisions = (await collect(store.readStream(STREAM))).map(({ revision }) => revision)
    expect(revisions).toEqual(Array.from({ length: 200 }, (_, revision) => revision))
  })
})

describe('closing', () => {
  // Without dispose() the client's calls keep a process alive; its channel would as well.
  test('lets the process exit, with followers and watchers still there', async () => {
    const server = await startServer()
    const script = `
      import { openEventStoreDb } from ${JSON.stringify(path.resolve('src/event-store/eventstoredb.ts'))}
      const store = await openEventStoreDb({ connectionString: ${JSON.stringify(server.url)} })
      store.watch(() => {})
      const reader = store.follow()[Symbol.asyncIterator]()
      await reader.next()
      await store.close()
      await store.close()
      console.log('closed')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
    const said = Promise.all([collect(child.stdout), collect(child.stderr)])
    const [code] = await once(child, 'exit')
    expect([code, (await said).map((chunks) => chunks.join(''))]).toEqual([0, ['closed\n', '']])
  })
})
