/**
 * What a client says to go on where it was, or to send the same again: `Last-Event-ID`, `Prefer`, `Idempotency-Key`, `traceparent`. Any bytes
 * give a stream that is one, each event once and in order, or a refusal by name; and a key that was taken has one effect and one answer.
 */
import fc from 'fast-check'
import { parseCursor } from '../../../src/subscriptions/event-cursor.ts'
import { edited } from './edits.ts'
import { fuzzTarget, mustHold, NotHeld } from './fuzz-target.ts'
import { type FuzzedServer, fuzzedServer, HOST, JSON_TYPE } from './fuzzed-server.ts'
import { hostileWord } from './hostile-values.ts'
import type { HttpAnswer } from './http-exchange.ts'

type ResumeInput =
  | { readonly type: 'stream'; readonly lastEventId: string; readonly after: string | undefined }
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'header'; readonly name: string; readonly value: string }

/** An operation that is registered while somebody streams: when it comes, all before it has come. */
interface Marker {
  readonly id: string
  readonly written: Promise<unknown>
}

const PREFERENCES = ['wait=0', 'wait=1', 'respond-async, wait=0', 'wait="0"', 'wait=0; foo=bar', 'return=minimal']
const TRACES = ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01']
const TYPES = ['application/json', 'text/event-stream', '*/*', 'text/html, application/json;q=0.9']

export const resumeTarget = fuzzTarget<ResumeInput>({
  name: 'resume',
  about: 'Last-Event-ID, Prefer, Idempotency-Key, traceparent: any bytes, and streams as they come of it',
  runs: 150,
  async open() {
    const server = await fuzzedServer()
    let registered = 0
    const register = (): Marker => {
      const id = `op-${registered++}`
      const written = server.said('POST', `/v1/operations?owner=o${registered % 20}`, { kind: 'k', id })
      // Heard by whoever waits for it, later than it may fail.
      written.catch(() => {})
      return { id, written }
    }
    while (registered < 5) await register().written
    const cursors: string[] = []
    for await (const batch of server.node.events.batches({}, AbortSignal.timeout(10_000))) {
      if (batch.type !== 'events') break
      cursors.push(...batch.entries.map(({ cursor }) => cursor), batch.cursor)
      if (batch.isCaughtUp) break
    }
    return {
      inputs: inputsOf(cursors),
      check: (input) => checked(server, input, register),
      checkLeft: server.checkLeft,
      close: server.close,
    }
  },
})

function inputsOf(cursors: readonly string[]): fc.Arbitrary<ResumeInput> {
  const cursor = edited(fc.oneof(fc.constantFrom(...cursors), fc.constantFrom('now', '')))
  const stream = fc.record({
    type: fc.constant('stream' as const),
    lastEventId: cursor.map(headerBytes),
    after: fc.option(cursor, { nil: undefined }),
  })
  const key = fc.record({
    type: fc.constant('key' as const),
    key: edited(fc.constantFrom('key-1', '"key 1"', '%"caf%c3%a9"')).map(headerBytes),
  })
  const headerOf = (name: string, values: readonly string[]) =>
    fc.record({
      type: fc.constant('header' as const),
      name: fc.constant(name),
      value: fc
        .oneof(edited(fc.constantFrom(...values)), hostileWord)
        .map(headerBytes)
        .filter(isShortWait),
    })
  return fc.oneof(
    { weight: 3, arbitrary: stream },
    { weight: 3, arbitrary: key },
    { weight: 1, arbitrary: headerOf('prefer', PREFERENCES) },
    { weight: 1, arbitrary: headerOf('traceparent', TRACES) },
    { weight: 1, arbitrary: headerOf('accept', TYPES) },
  )
}

async function checked(server: FuzzedServer, input: ResumeInput, register: () => Marker): Promise<void> {
  switch (input.type) {
    case 'stream':
      return streamed(server, input, register)
    case 'key':
      return sentTwice(server, input.key)
    case 'header':
      return taken(server, input)
    default:
      throw new Error(`unknown input ${input satisfies never}`)
  }
}

/** History from there on, and what happens next, in one line; or a refusal. */
async function streamed(
  server: FuzzedServer,
  { lastEventId, after }: ResumeInput & { readonly type: 'stream' },
  register: () => Marker,
): Promise<void> {
  let text = ''
  let marker: Marker | undefined
  const isEnough = (piece: string) => {
    text += piece
    if (marker === undefined && text.includes('retry:')) marker = register()
    return marker !== undefined && text.includes(`"subject":"${marker.id}"`)
  }
  const target = `/v1/events${after === undefined ? '' : `?after=${encodeURIComponent(after.toWellFormed())}`}`
  const headers = [HOST, ['accept', 'text/event-stream'], ['last-event-id', lastEventId]] as const
  const answer = await server.ask({ method: 'GET', target, headers }, isEnough)
  await marker?.written
  if (answer === undefined || answer.status !== 200) {
    mustHold(isRefused(answer), () => `refused as ${answer?.status} ${answer?.text}`)
    return
  }
  assertStream(answer)
}

/** Frames as the standard has them; positions that grow. What was cut off at the end is left aside. */
function assertStream({ text, headers }: HttpAnswer): void {
  mustHold(
    headers.get('content-type') === 'text/event-stream; charset=utf-8',
    () => `a stream as ${headers.get('content-type')}`,
  )
  const frames = text.split('\n\n').slice(0, -1)
  let position = -1n
  for (const frame of frames) {
    const isFrame = frame.split('\n').every((line) => /^(id|event|data|retry): |^:/.test(line))
    mustHold(isFrame, () => `no frame of a stream: ${frame}`)
    const id = /^id: (.*)$/m.exec(frame)?.[1]
    const data = /^data: (.*)$/m.exec(frame)?.[1]
    if (data !== undefined) parsed(data)
    if (id === undefined) continue
    const next = parseCursor(id)?.position ?? -1n
    mustHold(next > position, () => `position ${next} comes behind ${position}`)
    position = next
  }
}

function parsed(data: string): void {
  try {
    JSON.parse(data)
  } catch {
    throw new NotHeld(`the data of an event is no JSON: ${data}`)
  }
}

let sent = 0

/** Under a key that was taken: the same body has the same answer and no second effect, another body is refused. */
async function sentTwice(server: FuzzedServer, key: string): Promise<void> {
  // Another owner each time: an owner knows its own keys.
  const place = `/v1/workspaces/keys/owners/${sent++}`
  const register = (kind: string) =>
    server.ask({
      method: 'POST',
      target: `${place}/operations`,
      headers: [HOST, JSON_TYPE, ['idempotency-key', key]],
      body: Buffer.from(JSON.stringify({ kind })),
    })
  const first = await register('k')
  if (first === undefined || first.status !== 201) {
    mustHold(isRefused(first), () => `refused as ${first?.status} ${first?.text}`)
    return
  }
  const again = await register('k')
  const idOf = (answer: HttpAnswer | undefined) => JSON.parse(answer?.text ?? '{}').id
  mustHold(
    idOf(again) === idOf(first) && idOf(first) !== undefined,
    () => `answered ${first.text}, and again ${again?.text}`,
  )
  const other = await register('other')
  mustHold(other?.status === 422, () => `another body under the key is answered ${other?.status} ${other?.text}`)
  const { count } = (await server.said('GET', `${place}/operations:count`)) as { readonly count: number }
  mustHold(count === 1, () => `one key had ${count} effects`)
}

async function taken(server: FuzzedServer, { name, value }: ResumeInput & { readonly type: 'header' }): Promise<void> {
  const target = name === 'accept' ? '/v1/operations' : '/v1/completions'
  const answer = await server.ask({ method: 'GET', target, headers: [HOST, [name, value]] })
  mustHold(answer?.status === 200 || isRefused(answer), () => `refused as ${answer?.status} ${answer?.text}`)
}

/** What is no HTTP at all may be hung up on. */
function isRefused(answer: HttpAnswer | undefined): boolean {
  return answer === undefined || [400, 408, 431].includes(answer.status)
}

/** Each waits for as long as it says: only a few shall. */
function isShortWait(value: string): boolean {
  return !/wait\s*=\s*"?\d*[1-9]/i.test(value)
}

/** Any bytes but those that end the header. */
function headerBytes(text: string): string {
  return Buffer.from(text.replace(/[\r\n]/g, ' '), 'latin1').toString('latin1')
}
