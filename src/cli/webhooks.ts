/** `verdict webhooks`: where events go, what became of them, and once more. */
import { parseArgs } from 'node:util'
import type { EmbeddedNode } from '../app/embedded-node.ts'
import { type Duration, durationMs } from '../client/durations.ts'
import { EXIT_FAULTS } from './exit-codes.ts'
import { STORE_HELP, STORE_OPTIONS, storePlace } from './store-option.ts'
import { type Told, toldAction } from './told-action.ts'
import { parsing, UsageError } from './usage-error.ts'
import { asJson, healthLines, toldDelivery, toldEndpoint } from './webhook-lines.ts'

const HELP = `  verdict webhooks add billing https://billing.example/hooks     prints the secret that signs, this once
  verdict webhooks add ends https://example.org/h --types verdict.operation.completed,verdict.operation.failed
  verdict webhooks test billing                                  send a message now, and tell what was answered
  verdict webhooks list
  verdict webhooks deliveries billing --failed                   what was given up, newest first
  verdict webhooks replay 4711                                   one delivery once more
  verdict webhooks replay billing --after 1000 --through 2000    the events of a range of positions
  verdict webhooks rotate billing                                a new secret; the old one signs beside it for a day
  verdict webhooks disable billing --reason "moves"
  verdict webhooks enable billing
  verdict webhooks remove billing                                with its deliveries
  verdict webhooks resume                                        follow a log that was replaced, from its end

Usage: verdict webhooks <list | add | remove | enable | disable | rotate | test | deliveries | replay | resume> [options]

Deliveries are sent by processes that open the log with the option "webhooks"; one of them at a time.

Options:
${STORE_HELP}  --file PATH            the file of the webhooks (default: beside the log; a log on a server needs one)
  --types A,B            types of events, also as verdict.operation.* or * (add; default: all but progress)
  --workspace NAME       only events of this workspace (add)
  --owner NAME           only events of this owner (add)
  --kind NAME            only events about operations of this kind (add)
  --secret SECRET        whsec_...; better by VERDICT_WEBHOOK_SECRET, where no process list shows it (add, rotate)
  --allow-private        let it lead to private and loopback addresses, and by http: (add)
  --keep DURATION        for how long replaced secrets go on signing (rotate; default: 24h)
  --reason TEXT          why (disable)
  --failed, --waiting    only those (deliveries)
  --operation ID         only those about this operation (deliveries)
  --limit N              so many at most (deliveries; default: 50)
  --after P, --through P positions of the log (replay, resume)
  --json                 the answer as JSON
  -h, --help

Exit codes: 0 when it was done; 1 when a test was not answered with 2xx, or an endpoint is disabled or fails (list); 2 for a
command line that can't be understood; 125 when it could not be done.
`

const SECRET_VARIABLE = 'VERDICT_WEBHOOK_SECRET'
const DELIVERIES_MAX = 50

type Desk = ReturnType<EmbeddedNode['webhooks']>
type Values = ReturnType<typeof parsed>['values']

type Action = (desk: Desk, signal: AbortSignal) => Promise<Told> | Told

export async function webhooks(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsing(() => parsed(args))
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [name = 'list', ...rest] = positionals
  const action = actionOf(name, rest, values)
  const { location } = storePlace(values)
  return toldAction(location, ({ webhooks: deskOf }, signal) => action(deskOf(values.file), signal), {
    asJson: values.json ? asJson : undefined,
  })
}

function parsed(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      ...STORE_OPTIONS,
      file: { type: 'string' },
      types: { type: 'string' },
      workspace: { type: 'string' },
      owner: { type: 'string' },
      kind: { type: 'string' },
      secret: { type: 'string' },
      'allow-private': { type: 'boolean', default: false },
      keep: { type: 'string' },
      reason: { type: 'string' },
      failed: { type: 'boolean', default: false },
      waiting: { type: 'boolean', default: false },
      operation: { type: 'string' },
      limit: { type: 'string' },
      after: { type: 'string' },
      through: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  })
}

function actionOf(name: string, rest: readonly string[], values: Values): Action {
  const [id = '', second = ''] = rest
  const takes = (counts: readonly number[], what: string) => {
    if (!counts.includes(rest.length)) {
      throw new UsageError(`webhooks ${name} takes ${what}, got ${JSON.stringify(rest.join(' '))}`)
    }
  }
  const range = { after: position('after', values.after), through: position('through', values.through) }
  switch (name) {
    case 'list':
      takes([0], 'no argument')
      return list
    case 'add':
      takes([2], 'a name and an URL')
      return (desk) => add(desk, id, second, values)
    case 'remove':
      takes([1], 'the name of an endpoint')
      return (desk) => {
        desk.remove(id)
        return done(`${id} is gone`)
      }
    case 'enable':
      takes([1], 'the name of an endpoint')
      return (desk) => enable(desk, id)
    case 'disable': {
      takes([1], 'the name of an endpoint')
      const { reason } = values
      if (reason === undefined || reason.trim() === '') throw new UsageError('webhooks disable needs --reason TEXT')
      return (desk) => {
        const answer = desk.disable(id, reason)
        return { answer, lines: [toldEndpoint(answer)], code: 0 }
      }
    }
    case 'rotate': {
      takes([1], 'the name of an endpoint')
      const keepMs = values.keep === undefined ? undefined : keptMs(values.keep)
      return (desk) => {
        const secret = desk.rotate(id, secretOf(values), keepMs)
        return { answer: { id, secret }, lines: [secret], code: 0 }
      }
    }
    case 'test':
      takes([1], 'the name of an endpoint')
      return (desk, signal) => test(desk, id, signal)
    case 'deliveries':
      takes([0, 1], 'the name of an endpoint, or nothing')
      return (desk) => deliveries(desk, rest[0], values)
    case 'replay':
      if (range.after === undefined) {
        takes([1], 'the number of a delivery, or a name with --after')
        const delivery = Number(id)
        if (!Number.isInteger(delivery) || delivery < 1) {
          throw new UsageError(`webhooks replay takes the number of a delivery, or a name with --after, got "${id}"`)
        }
        return (desk) => {
          desk.replay(delivery)
          return done(`delivery ${delivery} is sent once more`)
        }
      }
      takes([1], 'the name of an endpoint')
      return async (desk, signal) => {
        const count = await desk.replayRange(id, { after: range.after ?? 0n, through: range.through }, signal)
        return { answer: { endpoint: id, events: count }, lines: [`${count} events are sent to ${id}`], code: 0 }
      }
    case 'resume':
      takes([0], 'no argument')
      return async (desk) => {
        await desk.resume(range.after)
        return done(`the log is followed from ${range.after === undefined ? 'its end' : `position ${range.after}`}`)
      }
    default:
      throw new UsageError(`webhooks has no "${name}"`)
  }
}

function list(desk: Desk): Told {
  const answer = desk.health()
  const isWrong =
    answer.stopped !== undefined ||
    answer.endpoints.some(({ standing, failingSince }) => standing === 'disabled' || failingSince !== undefined)
  return { answer, lines: healthLines(answer), code: isWrong ? EXIT_FAULTS : 0 }
}

async function add(desk: Desk, id: string, url: string, values: Values): Promise<Told> {
  const { workspace, owner, kind, types } = values
  const secret = secretOf(values) ?? desk.newSecret()
  const endpoint = await desk.add({
    id,
    url,
    secrets: [secret],
    allowPrivateAddresses: values['allow-private'],
    ...(types === undefined ? {} : { types: types.split(',') }),
    ...(workspace === undefined ? {} : { workspace }),
    ...(owner === undefined ? {} : { owner }),
    ...(kind === undefined ? {} : { kind }),
  })
  return { answer: { ...endpoint, secret }, lines: [secret], code: 0 }
}

function enable(desk: Desk, id: string): Told {
  const { missedAfter, standing } = desk.enable(id)
  if (standing === 'enabled') return done(`${id} is enabled already`)
  const missed =
    missedAfter === undefined ? '' : `; what it missed: verdict webhooks replay ${id} --after ${missedAfter}`
  return done(`${id} is enabled${missed}`)
}

async function test(desk: Desk, id: string, signal: AbortSignal): Promise<Told> {
  const answer = await desk.test(id, signal)
  if (answer.type === 'failed') return { answer, lines: [answer.message], code: EXIT_FAULTS }
  const isGood = answer.status >= 200 && answer.status < 300
  const text = answer.text.trim().split('\n', 1)[0] ?? ''
  return { answer, lines: [`answered ${answer.status} ${text}`.trimEnd()], code: isGood ? 0 : EXIT_FAULTS }
}

function deliveries(desk: Desk, endpoint: string | undefined, values: Values): Told {
  const limit = values.limit === undefined ? DELIVERIES_MAX : Number(values.limit)
  if (!Number.isInteger(limit) || limit < 1)
    throw new UsageError(`--limit takes a whole number from 1, got "${values.limit}"`)
  if (values.failed && values.waiting) throw new UsageError('--failed and --waiting exclude each other')
  const standing = values.failed ? 'failed' : values.waiting ? 'waiting' : undefined
  const answer = desk.deliveries({ endpoint, standing, operation: values.operation, limit })
  return { answer, lines: answer.map(toldDelivery), code: 0 }
}

function secretOf({ secret }: Values): string | undefined {
  return secret ?? (process.env[SECRET_VARIABLE] || undefined)
}

function keptMs(text: string): number {
  try {
    return durationMs(text as Duration, '--keep') // it judges what the text is
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function position(name: string, text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,18}$/.test(text)) throw new UsageError(`--${name} takes a position of the log, got "${text}"`)
  return BigInt(text)
}

function done(line: string): Told {
  return { answer: { done: line }, lines: [line], code: 0 }
}
