import { describe, expect, test } from 'vitest'
import { isPublicAddress, publicLookup } from '../../src/subscriptions/webhook-address.ts'
import { checkedEndpoint } from '../../src/subscriptions/webhook-endpoint.ts'
import { WebhookClient } from '../../src/subscriptions/webhook-post.ts'
import { isSecret, newSecret, signatureHeaders } from '../../src/subscriptions/webhook-signature.ts'
import { Receiver } from './support/receiver.ts'
import { SECRET, webhookRig } from './support/webhook-rig.ts'

describe('a signature', () => {
  test('is that of the test vector of Standard Webhooks', () => {
    const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', at: 1_614_265_330_000, body: '{"test": 2432232314}' }
    expect(signatureHeaders([SECRET], message)).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  test('is there for each secret while secrets are changed, and for the new one alone afterwards', async () => {
    const receiver = await Receiver.started()
    const rig = await webhookRig()
    await rig.endpoint('all', receiver)
    const signatures = () => String(receiver.received.at(-1)?.headers['webhook-signature']).split(' ')
    const signal = new AbortController().signal
    await rig.desk.test('all', signal)
    expect(signatures()).toHaveLength(1)
    const secret = rig.desk.rotate('all')
    expect(isSecret(secret)).toBe(true)
    await rig.desk.test('all', signal)
    const [first, second] = signatures()
    const last = receiver.received.at(-1)
    if (last === undefined) throw new Error('nothing came')
    const { headers, body } = last
    const at = Number(headers['webhook-timestamp']) * 1_000
    const expected = signatureHeaders([secret, SECRET], { id: String(headers['webhook-id']), at, body })
    expect(`${first} ${second}`).toBe(expected['webhook-signature'])
    rig.desk.rotate('all', newSecret(), 0)
    await rig.desk.test('all', signal)
    expect(signatures()).toHaveLength(1)
  })

  test.each(['whsec_', 'whsec_c2hvcnQ=', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', `whsec_${'A'.repeat(100)}`, 'whsec_@@@'])(
    'is not made with %s, which is no secret',
    (secret) => {
      expect(() => checkedEndpoint({ id: 'a', url: 'https://example.org', secrets: [secret] })).toThrow(
        'endpoint.secrets.0: expected "whsec_" and 24 to 64 bytes in base64',
      )
    },
  )
})

describe('an address', () => {
  test.each([
    ['93.184.216.34', true],
    ['8.8.8.8', true],
    ['2606:2800:220:1:248:1893:25c8:1946', true],
    ['127.0.0.1', false],
    ['0.0.0.0', false],
    ['10.1.2.3', false],
    ['172.31.0.1', false],
    ['192.168.1.1', false],
    ['169.254.169.254', false],
    ['100.64.0.1', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['::1', false],
    ['::', false],
    ['fe80::1', false],
    ['fc00::1', false],
    ['::ffff:127.0.0.1', false],
    ['::ffff:8.8.8.8', false],
    ['64:ff9b::7f00:1', false],
    ['2002:7f00:1::', false],
    ['2001:db8::1', false],
    ['localhost', false],
  ])('%s is public: %s', (address, isPublic) => {
    expect(isPublicAddress(address)).toBe(isPublic)
  })

  test.each([
    ['http://example.org/hook', 'url: expected https: (http: only where private addresses are allowed)'],
    ['https://127.0.0.1/hook', 'url: it is a private, loopback or reserved address, which has to be allowed'],
    ['https://2130706433/hook', 'url: it is a private, loopback or reserved address, which has to be allowed'],
    ['https://[::ffff:7f00:1]/', 'url: it is a private, loopback or reserved address, which has to be allowed'],
    ['https://user:pa55@example.org/', 'url: no user and no password belong into it'],
    ['ftp://example.org/', 'url: expected https: (http: only where private addresses are allowed)'],
    ['not an address', 'url: expected an address as https://host/path'],
  ])('of an endpoint is not %s', (url, message) => {
    const checking = () => checkedEndpoint({ id: 'a', url, secrets: [SECRET] })
    expect(checking).toThrow(message)
    expect(checking).not.toThrow('pa55')
  })

  test('that a name leads to is looked at before anything is sent there, and is the one that is connected to', async () => {
    const receiver = await Receiver.started()
    const { port } = new URL(receiver.url)
    const client = new WebhookClient((_hostname, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]))
    const request = { headers: {}, body: '{}', timeoutMs: 5_000, allowPrivateAddresses: false }
    const url = `https://hooks.example.org:${port}/`
    expect(await client.post({ ...request, url }, new AbortController().signal)).toEqual({
      type: 'failed',
      message: 'hooks.example.org is at 127.0.0.1, which is no public address: refused',
    })
    expect(receiver.received).toEqual([])
    client.close()
  })

  test('is refused where only one of several is not public, and otherwise given on as it was looked at, resolved once', () => {
    let asked = 0
    const mixed = ['93.184.216.34', '10.0.0.1'].map((address) => ({ address, family: 4 }))
    const told: unknown[] = []
    const lookup = (addresses: typeof mixed) =>
      publicLookup((_hostname, _options, done) => {
        asked++
        done(null, addresses)
      })
    lookup(mixed)('a.example', { all: true }, (error) => told.push(error?.message))
    lookup(mixed.slice(0, 1))('b.example', { all: true }, (error, addresses) => told.push(error, addresses))
    lookup([])('c.example', {}, (error) => told.push(error?.message))
    expect(told).toEqual([
      'a.example is at 10.0.0.1, which is no public address: refused',
      null,
      [{ address: '93.184.216.34', family: 4 }],
      'c.example has no address, which is no public address: refused',
    ])
    expect(asked).toBe(3)
  })
})

describe('an answer', () => {
  test('that redirects is a failure, and nothing is sent to where it leads', async () => {
    const elsewhere = await Receiver.started()
    const receiver = await Receiver.started()
    receiver.status(307, { location: elsewhere.url })
    const rig = await webhookRig()
    await rig.endpoint('moved', receiver, { types: ['verdict.operation.registered'] })
    rig.begin()
    await rig.verdict.register('export')
    await rig.until(() =>
      expect(rig.desk.deliveries({ limit: 1 })[0]?.attempts[0]).toMatchObject({
        status: 307,
        error: 'answered 307: redirects are not followed',
      }),
    )
    expect(elsewhere.received).toEqual([])
  })

  test('that never comes, since nobody listens, is a failure with its reason', async () => {
    const receiver = await Receiver.started()
    await receiver.close()
    const rig = await webhookRig()
    await rig.endpoint('nobody', receiver)
    const answer = await rig.desk.test('nobody', new AbortController().signal)
    expect(answer).toMatchObject({ type: 'failed', message: expect.stringContaining('ECONNREFUSED') })
  })
})

describe('an endpoint', () => {
  test.each([
    [{ id: 'no spaces' }, 'endpoint.id: expected letters, digits, - and _, 64 at most'],
    [{ types: ['verdict.operation.finished'] }, 'endpoint.types.0: there is no such type of event'],
    [{ types: ['verdict.nothing.*'] }, 'endpoint.types.0: there is no such type of event'],
    [{ secrets: [] }, 'endpoint.secrets: '],
    [{ retries: 3 }, 'endpoint: Unrecognized key: "retries"'],
  ])('with %j is refused with what was expected', (change, message) => {
    const options = { id: 'a', url: 'https://example.org', secrets: [SECRET], ...change }
    expect(() => checkedEndpoint(options)).toThrow(message)
  })
})
