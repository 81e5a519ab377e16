/** `verdict operations`: what there is, how it stands, and what becomes of it; on a server or on a log. */
import { parseArgs } from 'node:util'
import { OperationRejected } from '../client/operation-errors.ts'
import type { Verdict } from '../client/verdict.ts'
import { EXIT_OURS } from './exit-codes.ts'
import { ACTIONS, type ActionValues, labelsOf } from './operation-actions.ts'
import { type OperationSnapshot, operationPage, operationRows, table } from './operation-lines.ts'
import { watchOperation } from './operation-watch.ts'
import { openPlace, placeOf, REACHED_HELP, REACHED_OPTIONS } from './place-option.ts'
import { parsing, UsageError } from './usage-error.ts'

const HELP = `  verdict operations list                                    what there is
  verdict operations list --status running --label team=data
  verdict operations get ID                                  how it stands, and what happens next
  verdict operations watch ID                                until it has ended; the exit code says how
  verdict operations start import --name "March" --json      registered and claimed; the answer has the lease
  verdict operations progress ID --lease 7 --percent 40
  verdict operations complete ID --lease 7 --result '{"rows":12}'
  verdict operations cancel ID --reason "customer asked"

Usage: verdict operations <command> [ID or KIND] [options]

Look:
  list                     of an owner; --status, --kind, --key, --label and --attention choose
  get ID                   one of them
  history ID               its events, oldest first
  watch ID                 its progress until it ends: exit code 0 when it completed
Work:
  register KIND            for somebody else to claim
  start KIND               registered and claimed by who calls; its lease epoch goes with every further word
  claim ID                 one that waits to be started
  provisioning-failed ID   it could not be started: --message TEXT --code CODE
  heartbeat ID             --lease N
  progress ID              --lease N --message TEXT --percent N --processed N --total N
  start-phase ID           --lease N --phase NAME
  complete-phase ID        --lease N --phase NAME --result JSON
  fail-phase ID            --lease N --phase NAME --message TEXT --code CODE; it may be started again
  peer-ready ID            --lease N --peer JSON
  complete ID              --lease N --result JSON
  fail ID                  --message TEXT --code CODE; with --lease N as its worker, else as an operator
  retry ID                 this attempt failed, there is to be another: --lease N --message TEXT --code CODE --in TIME
  mark-retired ID          it has wound down: --lease N --reason TEXT
Steer:
  cancel ID                asked for: its worker has until the deadline
  force-cancel ID          at once, without asking its worker; with --lease N by its worker itself
  abort ID                 before anybody works on it
  retire ID                asked to wind down
  rollback ID              take back a registration that nobody knows of: --registration COMMAND_ID

Options:
${REACHED_HELP}  --workspace NAME         (default: default)
  --owner NAME             (default: default)
  --id ID, --name TEXT, --key KEY, --input JSON, --label KEY=VALUE, --stale-after TIME, --max-runtime TIME
                           of register and start
  --lease N                the lease epoch that start or claim answered
  --reason TEXT            why, on record
  --on-behalf-of NAME      for whom this is done, on record beside who does it
  --command-id ID          the same id and the same command have one effect and one answer
  --json                   for programs
  -h, --help

Exit codes: 0; 1 when it was refused, is not there, or did not complete; 2 for a command line that can't be understood;
125 when the server or the log can't be reached.
`

/** Refused, not there, or ended otherwise than completed. */
const EXIT_REFUSED = 1

const OPTIONS = {
  ...REACHED_OPTIONS,
  workspace: { type: 'string', default: 'default' },
  owner: { type: 'string', default: 'default' },
  status: { type: 'string', multiple: true },
  kind: { type: 'string', multiple: true },
  key: { type: 'string' },
  label: { type: 'string', multiple: true },
  attention: { type: 'boolean' },
  id: { type: 'string' },
  name: { type: 'string' },
  input: { type: 'string' },
  'stale-after': { type: 'string' },
  'max-runtime': { type: 'string' },
  lease: { type: 'string' },
  message: { type: 'string' },
  code: { type: 'string' },
  percent: { type: 'string' },
  processed: { type: 'string' },
  total: { type: 'string' },
  result: { type: 'string' },
  reason: { type: 'string' },
  phase: { type: 'string' },
  peer: { type: 'string' },
  in: { type: 'string' },
  registration: { type: 'string' },
  'command-id': { type: 'string' },
  'on-behalf-of': { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

export async function operations(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsing(() =>
    parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true }),
  )
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [name, subject, stray] = positionals
  const command = commandOf(name, subject, stray, values)
  const place = placeOf(values)
  try {
    const { workspace, owner } = values
    const log = { warn: (_facts: unknown, message: string) => say(message) }
    const verdict = await openPlace(place, { workspace, owner, log })
    try {
      return await command(verdict)
    } finally {
      await verdict.close()
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    if (values.json && error instanceof OperationRejected) {
      const { code, message, facts, retryable } = error
      process.stdout.write(`${JSON.stringify({ error: { code, message, retryable, ...facts } })}\n`)
    } else say(error instanceof Error ? error.message : String(error))
    const isUnreached = !(error instanceof OperationRejected) || error.code === 'server_unavailable'
    return isUnreached ? EXIT_OURS : EXIT_REFUSED
  }
}

type Command = (verdict: Verdict) => Promise<number>

/** Throws UsageError before anything is opened. */
function commandOf(
  name: string | undefined,
  subject: string | undefined,
  stray: string | undefined,
  values: ActionValues & { readonly attention?: boolean; readonly status?: string[]; readonly kind?: string[] },
): Command {
  if (name === undefined) throw new UsageError('operations wants a command, such as list')
  if (stray !== undefined) throw new UsageError(`operations ${name} takes one argument, got "${stray}" as well`)
  const one = () => {
    if (subject !== undefined && subject !== '') return subject
    throw new UsageError(`operations ${name} wants the id of an operation`)
  }
  switch (name) {
    case 'list':
      if (subject !== undefined) throw new UsageError(`operations list takes no argument, got "${subject}"`)
      return (verdict) => list(verdict, values)
    case 'get': {
      const id = one()
      return (verdict) => get(verdict, id, values.json)
    }
    case 'history': {
      const id = one()
      return (verdict) => history(verdict, id, values.json)
    }
    case 'watch': {
      const id = one()
      return (verdict) => watchOperation(verdict, id, values.json)
    }
    default: {
      const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
      if (action === undefined) throw new UsageError(`there is no command "operations ${name}"`)
      if (subject === undefined || subject === '') throw new UsageError(`operations ${name} wants ${action.wants}`)
      const act = action.prepare(subject, values)
      return async (verdict) => {
        const answer = await act(verdict)
        process.stdout.write(values.json ? `${jsonOf(answer)}\n` : action.told(answer))
        return 0
      }
    }
  }
}

async function list(
  verdict: Verdict,
  values: ActionValues & { readonly attention?: boolean; readonly status?: string[]; readonly kind?: string[] },
): Promise<number> {
  const { status, kind, key, attention } = values
  const filter = {
    ...(status === undefined ? {} : { statuses: status as OperationSnapshot['status'][] }),
    ...(kind === undefined ? {} : { kinds: kind }),
    ...(key === undefined ? {} : { key }),
    ...(attention === undefined ? {} : { attention }),
    ...(values.label === undefined ? {} : { labels: labelsOf(values.label) }),
  }
  const found = await verdict.operations.list(filter)
  process.stdout.write(values.json ? `${jsonOf([...found])}\n` : operationRows([...found]))
  return 0
}

async function get(verdict: Verdict, id: string, isJson: boolean): Promise<number> {
  const operation = await verdict.operation(id).snapshot()
  if (operation === undefined) return absent(id)
  process.stdout.write(isJson ? `${jsonOf(operation)}\n` : operationPage(operation))
  return 0
}

async function history(verdict: Verdict, id: string, isJson: boolean): Promise<number> {
  const events = await verdict.operation(id).history()
  if (events.length === 0) return absent(id)
  const rows = events.map(({ revision, event, metadata }) => [
    String(revision),
    new Date(metadata.at).toISOString(),
    event.type,
    metadata.onBehalfOf === undefined ? metadata.actor : `${metadata.actor} for ${metadata.onBehalfOf}`,
  ])
  process.stdout.write(isJson ? `${jsonOf(events)}\n` : table(['REVISION', 'AT', 'EVENT', 'ACTOR'], rows))
  return 0
}

function absent(id: string): number {
  say(`there is no operation ${id}`)
  return EXIT_REFUSED
}

/** Positions are decimal strings, as over HTTP. */
function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_name, one) => (typeof one === 'bigint' ? String(one) : one), 2)
}

function say(message: string): void {
  process.stderr.write(`verdict: ${message}\n`)
}
