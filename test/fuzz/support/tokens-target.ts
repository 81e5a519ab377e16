/**
 * What a server hands out and takes back: page tokens, cursors of events, sequences, ids of waits, keys, cookies of sessions. A forged one is
 * refused by its name, or means what an authentic one means; in no case does it show what is another workspace's.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { addKey } from '../../../src/http/api-keys.ts'
import { edited } from './edits.ts'
import { fuzzTarget, mustHold } from './fuzz-target.ts'
import { type FuzzedServer, fuzzedServer, HOST } from './fuzzed-server.ts'
import type { HttpAnswer } from './http-exchange.ts'

type Caller = 'a' | 'b'
type Header = readonly [name: string, value: string]

interface TokenInput {
  readonly of: 'page' | 'owners' | 'cursor' | 'sequence' | 'wait' | 'key' | 'session'
  readonly text: string
  readonly as: Caller
}

/** Of each caller, whose workspace has the caller's name. */
interface Own {
  readonly key: Header
  readonly session: string
  readonly page: string
  readonly owners: string
  readonly waitId: string
  readonly events: readonly WireEvent[]
  readonly cursors: readonly string[]
}

interface WireEvent {
  readonly id: string
  readonly subject?: string
}

const LIST = '/v1/operations?sort=newest_activity&pageSize=2'
const OWNERS = '/v1/owners?pageSize=1'
/** Of the completion feed of `o` in each workspace. */
const ENDED = 3

export const tokensTarget = fuzzTarget<TokenInput>({
  name: 'tokens',
  about: 'page tokens, cursors, sequences, ids of waits, keys and cookies, forged',
  runs: 300,
  async open() {
    const folder = mkdtempSync(path.join(tmpdir(), 'verdict-fuzz-'))
    const keys = path.join(folder, 'keys.json')
    const keyOf = (name: Caller): Header => {
      const grants = [{ workspace: name, roles: ['viewer', 'service'] as const }]
      return [
        'authorization',
        `Bearer ${addKey(keys, { name, grants: grants.map((one) => ({ ...one, roles: [...one.roles] })), now: 0 }).text}`,
      ]
    }
    const callers = { a: keyOf('a'), b: keyOf('b') }
    const server = await fuzzedServer({ authentication: { keys } })
    for (const name of ['a', 'b'] as const) await fill(server, name, callers[name])
    const own = { a: await ownOf(server, 'a', callers.a), b: await ownOf(server, 'b', callers.b) }
    return {
      inputs: inputsOf(own),
      check: (input) => checked(server, own, input),
      checkLeft: server.checkLeft,
      async close() {
        await server.close()
        rmSync(folder, { recursive: true })
      },
    }
  },
})

async function fill(server: FuzzedServer, workspace: Caller, key: Header): Promise<void> {
  const said = (target: string, body: object) => server.said('POST', target, body, [key])
  for (const owner of ['o', 'p', 'q']) {
    const place = `/v1/workspaces/${workspace}/owners/${owner}`
    for (let i = 0; i < ENDED; i++) {
      const { id, leaseEpoch } = (await said(`${place}/operations`, { kind: 'k', claim: true })) as Record<
        string,
        unknown
      >
      await said(`${place}/operations/${id}:complete`, { leaseEpoch })
    }
  }
}

async function ownOf(server: FuzzedServer, workspace: Caller, key: Header): Promise<Own> {
  const asked = async (target: string) =>
    (await server.said('GET', target, undefined, [key])) as Record<string, unknown>
  const place = `/v1/workspaces/${workspace}/owners/o`
  const { id } = (await server.said('POST', `${place}/operations`, { kind: 'k' }, [key])) as { readonly id: string }
  const { waitId } = (await server.said('POST', `${place}/waits`, { mode: 'all', ids: [id] }, [key])) as {
    readonly waitId: string
  }
  const cursors: string[] = []
  const events: WireEvent[] = []
  for (let isMore = true; isMore; ) {
    const after = cursors.length === 0 ? '' : `&after=${cursors.at(-1)}`
    const page = (await asked(`/v1/events?limit=5${after}`)) as {
      events: WireEvent[]
      nextAfter: string
      isCaughtUp: boolean
    }
    events.push(...page.events)
    cursors.push(page.nextAfter)
    isMore = !page.isCaughtUp
  }
  const begun = await server.ask({
    method: 'POST',
    target: '/v1/session',
    headers: [HOST, ['content-type', 'application/json'], ['origin', 'http://127.0.0.1']],
    body: Buffer.from(JSON.stringify({ apiKey: key[1].slice('Bearer '.length) })),
  })
  const [, session = ''] = /^([^;]+)/.exec(begun?.headers.get('set-cookie') ?? '') ?? []
  if (session === '') throw new Error(`no session began: ${begun?.text}`)
  const page = String((await asked(LIST)).nextPageToken)
  const owners = String((await asked(OWNERS)).nextPageToken)
  return { key, session, page, owners, waitId, events, cursors }
}

function inputsOf(own: Readonly<Record<Caller, Own>>): fc.Arbitrary<TokenInput> {
  const both = (of: (one: Own) => readonly string[]) => fc.constantFrom(...of(own.a), ...of(own.b))
  const as = fc.constantFrom<Caller>('a', 'b')
  const forged = (of: TokenInput['of'], texts: fc.Arbitrary<string>) =>
    fc.record({ of: fc.constant(of), text: texts, as })
  const pages = both(({ page }) => [page])
  const owners = both((one) => [one.owners])
  return fc.oneof(
    forged('page', fc.oneof(edited(pages), edited(pages.map(inBase64), 'json').map(toBase64))),
    forged('owners', fc.oneof(edited(owners), edited(owners.map(inBase64), 'json').map(toBase64))),
    forged('cursor', edited(both(({ cursors, events }) => [...cursors, ...events.map(({ id }) => id)]))),
    forged('sequence', edited(fc.nat({ max: ENDED + 2 }).map(String))),
    forged('wait', edited(both(({ waitId }) => [waitId]))),
    forged('key', edited(both(({ key }) => [key[1]]))),
    forged('session', edited(both(({ session }) => [session]))),
  )
}

const inBase64 = (token: string) => Buffer.from(token, 'base64url').toString()
const toBase64 = (text: string) => Buffer.from(text).toString('base64url')

async function checked(
  server: FuzzedServer,
  own: Readonly<Record<Caller, Own>>,
  { of, text, as }: TokenInput,
): Promise<void> {
  const { key } = own[as]
  const asked = (target: string, header: Header = key) => server.ask({ method: 'GET', target, headers: [HOST, header] })
  const sent = encodeURIComponent(text.toWellFormed())
  const place = `/v1/workspaces/${as}/owners/o`
  switch (of) {
    case 'page':
      return isOwn(as, await asked(`${LIST}&pageToken=${sent}`))
    case 'owners':
      return isOwn(as, await asked(`${OWNERS}&pageToken=${sent}`))
    case 'cursor':
      return isTailOf(own[as], await asked(`/v1/events?after=${sent}`))
    case 'sequence':
      return isAfter(text, await asked(`${place}/completions?after=${sent}`))
    case 'wait':
      return isWait(own[as], await asked(`${place}/waits/${sent}`))
    case 'key': {
      const told = headerText(text)
      // The name of the scheme has no case (RFC 9110).
      const shown = told.replace(/^bearer +/i, 'Bearer ')
      return isLetIn(await asked(LIST, ['authorization', told]), [own.a.key[1], own.b.key[1]].includes(shown))
    }
    case 'session': {
      const cookie = headerText(text)
      const tokens = new Set(cookie.split(';').map((pair) => pair.trim()))
      return isLetIn(await asked(LIST, ['cookie', cookie]), tokens.has(own.a.session) || tokens.has(own.b.session))
    }
    default:
      throw new Error(`unknown token ${of satisfies never}`)
  }
}

function isOwn(workspace: Caller, answer: HttpAnswer | undefined): void {
  if (answer?.status !== 200) {
    mustBeRefused(answer, ['bad_page_token', 'invalid_command'])
    return
  }
  const { operations, registries } = bodyOf(answer)
  const rows = (operations ?? registries) as readonly { readonly workspace: string }[]
  mustHold(
    rows.every((row) => row.workspace === workspace),
    () => `${workspace} is shown ${answer?.text}`,
  )
}

/** All events behind some place, up to the last, or the place is told to be gone. */
function isTailOf({ events }: Own, answer: HttpAnswer | undefined): void {
  if (answer?.status !== 200) {
    mustBeRefused(answer, ['invalid_command'])
    return
  }
  const { type, events: given } = bodyOf(answer)
  if (type === 'resync') return
  const idsOf = (some: readonly WireEvent[]) => JSON.stringify(some.map(({ id }) => id))
  const ids = idsOf(given as readonly WireEvent[])
  const isTail = ids === '[]' || events.some((_, i) => idsOf(events.slice(i)) === ids)
  mustHold(isTail, () => `these are no tail of one's own events: ${ids}`)
}

function isAfter(text: string, answer: HttpAnswer | undefined): void {
  const isNumber = /^[0-9]{1,15}$/.test(text)
  if (answer?.status !== 200) {
    mustBeRefused(answer, isNumber && Number(text) > ENDED ? ['cursor_ahead'] : ['invalid_command'])
    return
  }
  const { entries } = bodyOf(answer)
  const sequences = (entries as readonly { readonly sequence: number }[]).map(({ sequence }) => sequence)
  const expected = [1, 2, 3].filter((sequence) => sequence > Number(text))
  const isRight = isNumber && JSON.stringify(sequences) === JSON.stringify(expected)
  mustHold(isRight, () => `after ${text} come ${sequences}`)
}

function isWait({ waitId }: Own, answer: HttpAnswer | undefined): void {
  const told = bodyOf(answer).waitId
  if (answer?.status === 200) mustHold(told === waitId, () => `another wait: ${told}`)
  else mustBeRefused(answer, ['not_found', 'no_such_route', 'invalid_command'])
}

function isLetIn(answer: HttpAnswer | undefined, isAuthentic: boolean): void {
  if (isAuthentic) mustHold(answer?.status === 200, () => `an authentic one is refused: ${answer?.text}`)
  else mustBeRefused(answer, ['unauthenticated'])
}

function mustBeRefused(answer: HttpAnswer | undefined, codes: readonly string[]): void {
  const code = String(bodyOf(answer).code)
  const isRefused = codes.includes(code) || code === 'headers_too_large'
  mustHold(isRefused, () => `a forged one is answered ${answer?.status} ${answer?.text}`)
}

function bodyOf(answer: HttpAnswer | undefined): Readonly<Record<string, unknown>> {
  return answer === undefined ? {} : JSON.parse(answer.text)
}

function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e\xa0-\xff]/g, '').trim()
}
