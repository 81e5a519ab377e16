import { readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { createLogger } from '../../src/runtime/logger.ts'
import { serveVerdict } from '../../src/serve.ts'
import { openWebhookDatabase } from '../../src/subscriptions/webhook-database.ts'
import { WebhookOutbox } from '../../src/subscriptions/webhook-outbox.ts'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { Receiver } from './support/receiver.ts'
import { SECRET, webhookRig } from './support/webhook-rig.ts'

const DAY = 24 * 3_600_000
const ENDS = { types: ['verdict.operation.completed'] }

describe('a replay', () => {
  test('of one delivery sends the same message once more, whatever became of it', async () => {
    const receiver = await Receiver.started()
    const rig = await webhookRig()
    await rig.endpoint('ends', receiver, ENDS)
    rig.begin()
    await rig.verdict.execute('export', { id: 'a' }, () => 1)
    await rig.until(() => expect(rig.standings()).toEqual(['delivered']))
    const [{ id } = { id: 0 }] = rig.desk.deliveries({ limit: 1 })
    rig.desk.replay(id)
    await rig.until(() => expect(rig.standings()).toEqual(['delivered', 'delivered']))
    expect(rig.desk.deliveries({ limit: 1 })[0]).toMatchObject({ isReplay: true, subject: 'a' })
    const [first, again] = receiver.received
    expect(again?.body).toBe(first?.body)
    expect(again?.headers['webhook-id']).toBe(first?.headers['webhook-id'])
    expect(() => rig.desk.replay(99)).toThrow('There is no delivery 99')
  })

  test('of a range sends what the endpoint wants of it, also from before there was an endpoint', async () => {
    const receiver = await Receiver.started()
    const rig = await webhookRig()
    for (const id of ['a', 'b', 'c']) await rig.verdict.execute('export', { id }, () => 1)
    const positions = new Map<string, bigint>()
    for (const id of ['a', 'b', 'c']) {
      const history = await rig.verdict.operation(id).history()
      positions.set(id, BigInt(history.at(-1)?.position ?? 0))
    }
    await rig.endpoint('ends', receiver, ENDS)
    const webhooks = rig.begin()
    await rig.verdict.execute('export', { id: 'd' }, () => 1)
    await webhooks.drain(15_000)
    expect(receiver.told()).toEqual(['operation.completed d'])
    const range = { after: positions.get('a') ?? 0n, through: positions.get('c') ?? 0n }
    const { signal } = new AbortController()
    expect(await rig.desk.replayRange('ends', range, signal)).toBe(2)
    await rig.until(() => expect(rig.standings()).toEqual(['delivered', 'delivered', 'delivered']))
    expect(receiver.told().slice(1).sort()).toEqual(['operation.completed b', 'operation.completed c'])
    expect(await rig.desk.replayRange('ends', { after: 0n }, signal)).toBe(4)
  })
})

describe('what waits', () => {
  test('comes although its operation was let go and its owner was retired meanwhile', async () => {
    const receiver = await Receiver.started()
    receiver.status(503)
    const clock = new HandMovedClock()
    const rig = await webhookRig({ clock })
    await rig.endpoint('ends', receiver, { ...ENDS, kind: 'export' })
    rig.begin()
    const owner = rig.verdict.owner('acme')
    await rig.verdict.execute('export', { owner: 'acme', id: 'a' }, () => ({ rows: 3 }))
    await rig.until(() => expect(receiver.received).toHaveLength(1))
    await owner.collect()
    await owner.retire('over')
    expect(await rig.verdict.operation({ owner: 'acme', id: 'a' }).snapshot()).toBeUndefined()
    receiver.status(204)
    await rig.until(() => expect(rig.desk.deliveries({ limit: 1 })[0]?.attempts).toHaveLength(1))
    clock.sleep(5_000)
    await rig.until(() => expect(rig.standings()).toEqual(['delivered']))
    expect(receiver.received.at(-1)?.event.data).toMatchObject({ id: 'a', result: { rows: 3 } })
  })

  test('is sent by who is next when a process ends, each message by one process', async () => {
    const receiver = await Receiver.started()
    const rig = await webhookRig()
    await rig.endpoint('ends', receiver, ENDS)
    const first = rig.begin()
    await rig.verdict.execute('export', { id: 'a' }, () => 1)
    await receiver.has(1)
    const second = rig.begin()
    await rig.verdict.execute('export', { id: 'b' }, () => 1)
    await receiver.has(2)
    await first.drain(15_000)
    await first.close()
    await rig.verdict.execute('export', { id: 'c' }, () => 1)
    await receiver.has(3)
    await second.drain(15_000)
    expect(receiver.told()).toEqual(['a', 'b', 'c'].map((id) => `operation.completed ${id}`))
  })

  test('is sent before a process closes, and stays for the next one where that takes too long', {
    timeout: 120_000,
  }, async () => {
    const receiver = await Receiver.started()
    const log = path.join(freshFolder(), 'verdict.db')
    const endpoint = { id: 'ends', url: receiver.url, secrets: [SECRET], allowPrivateAddresses: true, ...ENDS }
    const options = { webhooks: { endpoints: [endpoint] } }
    const brief = await openedAt(log, { ...options, settings: { webhookDrainMs: 60_000 } })
    await brief.execute('export', { id: 'a' }, () => 1)
    await brief.close()
    expect(receiver.told()).toEqual(['operation.completed a'])
    receiver.answer = () => {}
    const briefer = await openedAt(log, { ...options, settings: { webhookDrainMs: 0 } })
    await briefer.execute('export', { id: 'b' }, () => 1)
    await briefer.close()
    receiver.received.length = 0
    receiver.status(204)
    await openedAt(log, options)
    await receiver.has(1)
    expect(receiver.told()).toEqual(['operation.completed b'])
  })

  test('goes with its endpoint; what was delivered goes from the log of deliveries when it is old', async () => {
    const receiver = await Receiver.started()
    const clock = new HandMovedClock()
    const rig = await webhookRig({ clock })
    await rig.endpoint('ends', receiver, ENDS)
    await rig.endpoint('other', receiver, ENDS)
    rig.begin()
    await rig.verdict.execute('export', { id: 'a' }, () => 1)
    await rig.until(() => expect(rig.standings()).toEqual(['delivered', 'delivered']))
    rig.desk.remove('other')
    expect(rig.standings()).toEqual(['delivered'])
    expect(() => rig.desk.remove('other')).toThrow(`There is no endpoint 'other'; there are: ends.`)
    clock.sleep(30 * DAY)
    await rig.until(() => expect(rig.standings()).toEqual(['delivered']))
    clock.sleep(1_000)
    await clock.advance(60_000)
    await rig.until(() => expect(rig.standings()).toEqual([]))
  })
})

describe('a log in memory', () => {
  test('has webhooks like any other, and leaves nothing behind', async () => {
    const receiver = await Receiver.started()
    const endpoint = { id: 'ends', url: receiver.url, secrets: [SECRET], allowPrivateAddresses: true, ...ENDS }
    const temporary = freshFolder()
    vi.stubEnv('TMPDIR', temporary)
    onTestFinished(() => void vi.unstubAllEnvs())
    const verdict = await openedAt('memory:', { webhooks: { endpoints: [endpoint] } })
    expect(readdirSync(temporary)).toEqual([expect.stringMatching(/^verdict-webhooks-/)])
    await verdict.execute('export', { id: 'a' }, () => 1)
    await receiver.has(1)
    expect(receiver.told()).toEqual(['operation.completed a'])
    await verdict.close()
    expect(readdirSync(temporary)).toEqual([])
  })
})

describe('a server', () => {
  test('sends to endpoints that were added by command, without being told to', async () => {
    const receiver = await Receiver.started()
    const log = path.join(freshFolder(), 'verdict.db')
    const served = await serveVerdict(log, { port: 0, log: createLogger('silent') })
    onTestFinished(() => served.close())
    const rig = await webhookRig({ location: log, file: `${log}-webhooks` })
    await rig.endpoint('ends', receiver, ENDS)
    await rig.verdict.execute('export', { id: 'a' }, () => 1)
    await receiver.has(1)
    expect(receiver.told()).toEqual(['operation.completed a'])
  })
})

describe('a log that was replaced', () => {
  test('is followed no further before an operator says so; what was put before is still sent', async () => {
    const receiver = await Receiver.started()
    const rig = await webhookRig()
    await rig.endpoint('ends', receiver, ENDS)
    const database = openWebhookDatabase(rig.file, 'at_once')
    new WebhookOutbox(database).moveTo('another-log.1.5.0123456789abcdef')
    database.close()
    rig.begin()
    await rig.until(() =>
      expect(rig.desk.health().stopped).toMatch(/^The log is not the one that was followed \(log_replaced\)/),
    )
    await rig.verdict.execute('export', { id: 'a' }, () => 1)
    await rig.desk.resume(0n)
    await receiver.has(1)
    expect(receiver.told()).toEqual(['operation.completed a'])
    expect(rig.desk.health()).toMatchObject({ stopped: undefined, isServed: true })
  })
})

describe('a log without an endpoint', () => {
  test('is not followed; the first endpoint gets what comes from then on, and what comes is sent', async () => {
    const receiver = await Receiver.started()
    const rig = await webhookRig()
    const webhooks = rig.begin()
    await rig.until(() => expect(rig.desk.health()).toMatchObject({ isServed: true, position: expect.anything() }))
    const { position } = rig.desk.health()
    await rig.verdict.execute('export', { id: 'a' }, () => 1)
    await webhooks.drain(30_000)
    expect(rig.desk.health().position).toBe(position)
    const { after } = await rig.endpoint('ends', receiver, ENDS)
    expect(after).toBe(await rig.node.store.end())
    await rig.verdict.execute('export', { id: 'b' }, () => 1)
    await receiver.has(1)
    rig.desk.remove('ends')
    await rig.verdict.execute('export', { id: 'c' }, () => 1)
    await rig.endpoint('again', receiver, ENDS)
    await rig.verdict.execute('export', { id: 'd' }, () => 1)
    await receiver.has(2)
    expect(receiver.told()).toEqual(['operation.completed b', 'operation.completed d'])
  })
})

describe('endpoints of options', () => {
  test('come and go with them, keep how it went, and are not removed by command', { timeout: 120_000 }, async () => {
    const receiver = await Receiver.started()
    const log = path.join(freshFolder(), 'verdict.db')
    const endpoint = { id: 'own', url: receiver.url, secrets: [SECRET], allowPrivateAddresses: true }
    const settings = { webhookDrainMs: 60_000 }
    const first = await openedAt(log, { webhooks: { endpoints: [endpoint] }, settings })
    await first.execute('export', { id: 'a' }, () => 1)
    await first.close()
    expect(receiver.told()).toContain('operation.completed a')
    const rig = await webhookRig({ location: log, file: `${log}-webhooks` })
    const [own] = rig.desk.health().endpoints
    expect(own).toMatchObject({ id: 'own', origin: 'options', standing: 'enabled' })
    expect(own?.lastSuccessAt).toBeGreaterThan(0)
    expect(() => rig.desk.remove('own')).toThrow('stands in the options of a process')
    expect(() => rig.desk.rotate('own')).toThrow('stands in the options of a process')
    const second = await openedAt(log, { webhooks: {} })
    await rig.until(() => expect(rig.desk.health().endpoints).toEqual([]))
    await second.close()
  })

  test.each([
    [
      { endpoints: [{ id: 'a', url: 'http://localhost', secrets: [SECRET] }] },
      'webhooks.endpoints: url: expected https:',
    ],
    [
      { endpoints: [{ id: 'a', url: 'https://a.example', secrets: ['x'] }] },
      'webhooks.endpoints: endpoint.secrets.0: ',
    ],
  ])('that can not be stop the start', async (webhooks, message) => {
    await expect(openedAt('memory:', { webhooks })).rejects.toThrow(message)
  })
})
