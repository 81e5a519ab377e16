import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import { Receiver } from './support/receiver.ts'
import { SECRET, webhookRig } from './support/webhook-rig.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('a webhook', () => {
  test('D7: tells an event as a CloudEvent, signed, with the position as its id', async () => {
    const receiver = await Receiver.started()
    const rig = await webhookRig()
    await rig.endpoint('all', receiver)
    rig.begin()
    const { position } = await rig.verdict.send(
      { type: 'RegisterOperation', id: 'a', kind: 'export' },
      { owner: 'acme' },
    )
    await receiver.has(2)
    expect(receiver.told()).toEqual(['registry.opened -', 'operation.registered a'])
    const { headers, body, event } = receiver.received[1] ?? receiver.received[0] ?? fail()
    expect(event).toMatchObject({
      specversion: '1.0',
      id: String(position),
      type: 'verdict.operation.registered',
      subject: 'a',
      datacontenttype: 'application/json',
      workspace: 'default',
      owner: 'acme',
      sequence: '0000000000000001',
      data: { id: 'a', kind: 'export' },
    })
    const { logId, timeline } = await rig.node.store.identity()
    expect(headers).toMatchObject({
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'webhook-id': `evt_${logId}_${timeline}_${position}`,
    })
    expect(Math.abs(Date.now() / 1_000 - Number(headers['webhook-timestamp']))).toBeLessThan(60)
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
    const key = Buffer.from(SECRET.replace('whsec_', ''), 'base64')
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
  })

  test('goes to whom it concerns: by type, workspace, owner and kind, without progress unless it is asked for', async () => {
    const receiver = await Receiver.started()
    const rig = await webhookRig()
    const to = (name: string) => ({ url: `${receiver.url}?${name}` })
    await rig.endpoint('default', to('default'), { owner: 'acme' })
    await rig.endpoint('ends', to('ends'), { types: ['verdict.operation.completed', 'verdict.operation.failed'] })
    await rig.endpoint('operations', to('operations'), { types: ['verdict.operation.*'], owner: 'acme' })
    await rig.endpoint('exports', to('exports'), { types: ['*'], kind: 'export' })
    await rig.endpoint('elsewhere', to('elsewhere'), { workspace: 'other' })
    const webhooks = rig.begin()
    const byOwner = (owner: string, kind: string, id: string) =>
      rig.verdict.execute(kind, { owner, id }, async ({ progress }) => {
        progress({ message: 'half' })
        return 1
      })
    await byOwner('acme', 'import', 'a')
    await byOwner('beta', 'export', 'b')
    await webhooks.drain(15_000)
    const told = (id: string) =>
      [...rig.desk.deliveries({ endpoint: id, limit: 100 })]
        .reverse()
        .map(({ type, subject }) => `${type.replace('verdict.', '')} ${subject ?? '-'}`)
    expect(told('default')).toEqual([
      'registry.opened -',
      'operation.registered a',
      'operation.started a',
      'operation.completed a',
    ])
    expect(told('ends')).toEqual(['operation.completed a', 'operation.completed b'])
    expect(told('operations')).toEqual(['operation.registered a', 'operation.started a', 'operation.completed a'])
    expect(told('exports')).toEqual([
      'operation.registered b',
      'operation.started b',
      'progress.reported b',
      'operation.completed b',
    ])
    expect(told('elsewhere')).toEqual([])
  })

  test('B15: attention raised, attention cleared and a contradiction on record reach an endpoint, as they reach live events', async () => {
    const receiver = await Receiver.started()
    const clock = new HandMovedClock()
    const rig = await webhookRig({ clock })
    const types = ['attention.raised', 'attention.cleared', 'operation.failed', 'contradiction.recorded'].map(
      (type) => `verdict.${type}`,
    )
    await rig.endpoint('people', receiver, { types })
    rig.begin()
    const policy = { staleAfter: '1m', reconcileDelay: '1m' }
    const lease = await rig.verdict.claim(await rig.verdict.register('export', { id: 'a', policy }))
    await lease.heartbeat()
    await clock.advance(90_000)
    await rig.verdict.reconcile()
    await lease.heartbeat()
    await lease.progress({ message: 'still here' })
    await rig.verdict.reconcile()
    for (let passes = 0; passes < 20; passes++) {
      await clock.advance(20_000)
      await rig.verdict.reconcile()
    }
    await expect(lease.complete('late')).rejects.toThrow()
    await rig.until(() => {
      expect(receiver.told()).toEqual([
        'attention.raised a',
        'attention.cleared a',
        'operation.failed a',
        'contradiction.recorded a',
      ])
    })
    const live: unknown[] = []
    for await (const event of rig.verdict.events({ types, follow: false })) live.push(event)
    expect(receiver.received.map(({ event }) => event)).toEqual(live)
    expect(receiver.received[0]?.event.data).toMatchObject({ id: 'a', attempt: 1, rule: 'sign' })
    expect(receiver.received[3]?.event.data).toMatchObject({ claimed: 'completed', result: 'late' })
  })

  test('C7: comes when the end is stored and told, and is recorded as delivered when it was answered', async () => {
    const receiver = await Receiver.started()
    const rig = await webhookRig()
    const order: string[] = []
    receiver.answer = (_request, response) => {
      order.push(`attempted, ${rig.standings()[0]}`)
      response.writeHead(200).end('thanks')
    }
    await rig.endpoint('ends', receiver, { types: ['verdict.operation.completed'] })
    const operation = await rig.verdict.register('export', { id: 'a' })
    const told = operation.outcome().then(() => order.push('told'))
    const lease = await rig.verdict.claim(operation)
    await lease.complete('whole')
    const stored = (await operation.history()).map(({ event }) => event.type)
    expect(stored.at(-1)).toBe('OperationCompleted')
    await told
    rig.begin()
    await rig.until(() => expect(rig.standings()).toEqual(['delivered']))
    expect(order).toEqual(['told', 'attempted, waiting'])
    const [delivery] = rig.desk.deliveries({ limit: 1 })
    expect(delivery).toMatchObject({
      endpoint: 'ends',
      type: 'verdict.operation.completed',
      subject: 'a',
      isReplay: false,
      attempts: [{ status: 200, answer: 'thanks', error: undefined }],
    })
  })
})

describe('a delivery that fails', () => {
  test('is tried by the schedule, the same message signed anew each time, and is given up behind its end', async () => {
    const receiver = await Receiver.started()
    receiver.status(500)
    const clock = new HandMovedClock()
    const rig = await webhookRig({ clock, settings: { webhookDisableAfterMs: 30 * 24 * HOUR } })
    await rig.endpoint('down', receiver, { types: ['verdict.operation.registered'] })
    rig.begin()
    await rig.verdict.register('export', { id: 'a' })
    const schedule = [5_000, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
    const begun = clock.now()
    let at = begun
    for (const [tries, delayMs] of schedule.entries()) {
      await rig.until(() => expect(rig.desk.deliveries({ limit: 1 })[0]?.attempts).toHaveLength(tries + 1))
      expect(rig.desk.deliveries({ limit: 1 })[0]).toMatchObject({ standing: 'waiting', dueAt: at + delayMs })
      clock.sleep(delayMs - 1)
      await clock.advance(0)
      expect(receiver.received).toHaveLength(tries + 1)
      at += delayMs
      clock.sleep(1)
      await rig.until(() => expect(receiver.received).toHaveLength(tries + 2))
    }
    await rig.until(() => expect(rig.standings()).toEqual(['failed']))
    const [delivery] = rig.desk.deliveries({ limit: 1 })
    expect(delivery?.attempts.map(({ status, error }) => `${status} ${error}`)).toEqual(
      Array.from({ length: 10 }, () => '500 answered 500'),
    )
    expect(delivery?.attempts[0]?.answer).toBe('words of the receiver')
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1)
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(10)
    expect(rig.desk.health().endpoints[0]).toMatchObject({ standing: 'enabled', waiting: 0, failingSince: begun })
  })

  test('holds up what comes behind it for the same operation, and no other operation', async () => {
    const receiver = await Receiver.started()
    receiver.answer = (request, response) => response.writeHead(request.event.subject === 'a' ? 503 : 204).end()
    const clock = new HandMovedClock()
    const rig = await webhookRig({ clock })
    await rig.endpoint('all', receiver, { types: ['verdict.operation.*', 'verdict.owner.terminated'] })
    rig.begin()
    for (const id of ['a', 'b']) {
      const lease = await rig.verdict.claim(await rig.verdict.register('export', { id }))
      await lease.complete(1)
    }
    await rig.verdict.register('export', { id: 'c' })
    await rig.verdict.owner('default').terminate('over')
    await rig.until(() => expect(rig.standings().filter((one) => one === 'delivered')).toHaveLength(4))
    expect(receiver.told()).toHaveLength(5)
    expect(new Set(receiver.told())).toEqual(
      new Set([
        'operation.registered a',
        ...['registered', 'started', 'completed'].map((one) => `operation.${one} b`),
        'operation.registered c',
      ]),
    )
    receiver.status(204)
    receiver.received.length = 0
    await clock.advance(5_000)
    await rig.until(() => expect(rig.standings().every((one) => one === 'delivered')).toBe(true))
    expect(receiver.told()).toEqual([
      'operation.registered a',
      'operation.started a',
      'operation.completed a',
      // About many operations: behind everything that was before.
      'owner.terminated -',
    ])
  })

  test('waits for as long as a busy server asks', async () => {
    const receiver = await Receiver.started()
    receiver.status(429, { 'retry-after': '120' })
    const clock = new HandMovedClock()
    const rig = await webhookRig({ clock })
    await rig.endpoint('busy', receiver, { types: ['verdict.operation.registered'] })
    rig.begin()
    await rig.verdict.register('export')
    await rig.until(() => expect(rig.desk.deliveries({ limit: 1 })[0]?.dueAt).toBe(clock.now() + 120_000))
  })

  test('by 410 ends it and disables the endpoint, and what waits stays for who enables it', async () => {
    const receiver = await Receiver.started()
    receiver.status(410)
    const rig = await webhookRig({ settings: { webhookInFlightMax: 1 } })
    await rig.endpoint('gone', receiver, { types: ['verdict.operation.registered'] })
    for (const id of ['a', 'b']) await rig.verdict.register('export', { id })
    rig.begin()
    await rig.until(() =>
      expect(rig.desk.health().endpoints).toMatchObject([
        { id: 'gone', standing: 'disabled', reason: 'it answered 410 Gone', waiting: 1 },
      ]),
    )
    expect(rig.standings()).toEqual(['failed', 'waiting'])
    await rig.verdict.register('export', { id: 'missed' })
    receiver.status(204)
    expect(rig.desk.enable('gone')).toMatchObject({ missedAfter: expect.any(BigInt) })
    await rig.until(() => expect(rig.standings()).toEqual(['failed', 'delivered']))
    expect(rig.log.lines.map(({ message }) => message)).toContain('an endpoint of webhooks was disabled')
  })

  test('for days disables the endpoint, and one success in between does not', async () => {
    const receiver = await Receiver.started()
    receiver.status(500)
    const clock = new HandMovedClock()
    const rig = await webhookRig({ clock })
    await rig.endpoint('down', receiver, { types: ['verdict.operation.registered'] })
    rig.begin()
    const failed = async (id: string) => {
      const before = receiver.received.length
      await rig.verdict.register('export', { id })
      await rig.until(() => expect(receiver.received.length).toBeGreaterThan(before))
      await rig.until(() =>
        expect(rig.desk.deliveries({ operation: id, limit: 1 })[0]?.attempts.length).toBeGreaterThan(0),
      )
    }
    await failed('a')
    clock.sleep(4 * 24 * HOUR)
    receiver.status(204)
    await failed('b')
    expect(rig.desk.health().endpoints[0]?.failingSince).toBeUndefined()
    receiver.status(500)
    await failed('c')
    const since = clock.now()
    clock.sleep(5 * 24 * HOUR - 1)
    await failed('d')
    expect(rig.desk.health().endpoints[0]).toMatchObject({ standing: 'enabled', failingSince: since })
    clock.sleep(1)
    await failed('e')
    expect(rig.desk.health().endpoints[0]).toMatchObject({
      standing: 'disabled',
      reason: `nothing was delivered since ${new Date(since).toISOString()} (webhookDisableAfterMs)`,
    })
  })

  test('too often for too many disables the endpoint: what waits is bounded', async () => {
    const receiver = await Receiver.started()
    receiver.status(500)
    const rig = await webhookRig({ settings: { webhookBacklogMax: 3 } })
    await rig.endpoint('down', receiver, { types: ['verdict.operation.registered'] })
    rig.begin()
    for (const id of ['a', 'b', 'c', 'd', 'e']) await rig.verdict.register('export', { id })
    await rig.until(() =>
      expect(rig.desk.health().endpoints[0]).toMatchObject({
        standing: 'disabled',
        reason: 'more than 3 deliveries wait for it (webhookBacklogMax)',
      }),
    )
  })
})

describe('an endpoint that is slow', () => {
  test('holds up no other, has so many requests at once and no more, and each for so long and no longer', async () => {
    const slow = await Receiver.started()
    slow.answer = () => {}
    const quick = await Receiver.started()
    const rig = await webhookRig({ settings: { webhookInFlightMax: 2, webhookTimeoutMs: 120_000 } })
    const types = ['verdict.operation.registered']
    await rig.endpoint('a-slow', slow, { types })
    await rig.endpoint('quick', quick, { types })
    for (let n = 0; n < 20; n++) await rig.verdict.register('export', { id: `op-${n}` })
    rig.begin()
    await rig.until(() => expect(rig.standings('quick')).toEqual(Array.from({ length: 20 }, () => 'delivered')))
    expect(slow.received).toHaveLength(2)

    const brief = await webhookRig({ settings: { webhookTimeoutMs: 200 } })
    await brief.endpoint('a-slow', slow, { types })
    await brief.verdict.register('export')
    brief.begin()
    await brief.until(() => {
      const attempts = brief.desk.deliveries({ endpoint: 'a-slow', limit: 100 }).flatMap((one) => one.attempts)
      expect(attempts[0]).toMatchObject({ status: undefined, error: 'no answer within 200 ms' })
    })
  })

  test('an answer without end is cut off', async () => {
    const receiver = await Receiver.started()
    let written = 0
    receiver.answer = (_request, response) => {
      response.writeHead(200)
      const more = (): void => {
        if (response.destroyed) return
        written += 65_536
        response.write('x'.repeat(65_536), () => setImmediate(more))
      }
      more()
    }
    const rig = await webhookRig()
    await rig.endpoint('chatty', receiver, { types: ['verdict.operation.registered'] })
    rig.begin()
    await rig.verdict.register('export')
    await rig.until(() => expect(rig.standings()).toEqual(['delivered']))
    expect(rig.desk.deliveries({ limit: 1 })[0]?.attempts[0]?.answer).toBe('x'.repeat(4_096))
    expect(written).toBeLessThan(64 * 1024 * 1024)
  })
})

function fail(): never {
  throw new Error('nothing came')
}
