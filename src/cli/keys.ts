/** `verdict keys`: who may call a server. */
import { mkdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import { parseArgs } from 'node:util'
import { addKey, EVERY_WORKSPACE, ROLES, readKeys, revokeKey } from '../serve.ts'
import { EXIT_FAULTS, EXIT_OURS } from './exit-codes.ts'
import { keysBeside } from './serve-options.ts'
import { storePlace } from './store-option.ts'
import { parsing, UsageError } from './usage-error.ts'

const HELP = `  verdict keys add billing --role service             prints the key, once; only its hash is kept
  verdict keys add ops --role operator --workspace eu --workspace us
  verdict keys list
  verdict keys revoke 3f9a1c22b0de

Usage: verdict keys add NAME --role ROLE [--role ROLE] [--workspace WORKSPACE] | list | revoke ID [options]

Roles: viewer reads; service registers and works; operator ends what others run as well; auditor reads all that was done;
admin may everything. A key holds its roles in the workspaces named, "default" where none is, "*" being all of them. A server
that runs sees what changed within a second, and puts it on record in the log, with who did it: GET /v1/admin/events.

Options:
  --keys FILE       default: keys.json in the folder of the log (VERDICT_KEYS)
  --data DIR        the folder of the log (default: .verdict)
  --json            for programs
  -h, --help

Exit codes: 0 when it is done; 1 when there is no key of this id; 2 for a command line that can't be understood; 125 when the
file can't be used.
`

const ACTIONS = ['add', 'list', 'revoke'] as const

export async function keys(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsing(() =>
    parseArgs({
      args: [...args],
      options: {
        role: { type: 'string', multiple: true, default: [] },
        workspace: { type: 'string', multiple: true, default: [] },
        keys: { type: 'string' },
        data: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    }),
  )
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  const [action, subject, stray] = positionals
  if (stray !== undefined) throw new UsageError(`keys takes no more than one name or id, got "${stray}"`)
  const known = ACTIONS.find((one) => one === action)
  if (known === undefined) throw new UsageError(`keys wants one of ${ACTIONS.join(', ')}`)
  const place = storePlace({ data: values.data }, {})
  const file = values.keys ?? (process.env.VERDICT_KEYS || undefined) ?? keysBeside(place, false)
  if (file === undefined) throw new UsageError('keys wants --keys FILE')
  try {
    switch (known) {
      case 'add': {
        const roles = values.role.map(roleOf)
        if (subject === undefined || roles.length === 0) throw new UsageError('keys add wants a NAME and a --role')
        const workspaces = values.workspace.length === 0 ? ['default'] : values.workspace
        const grants = workspaces.map((workspace) => ({ workspace, roles }))
        if (values.keys === undefined && place.folder !== undefined) mkdirSync(place.folder, { recursive: true })
        const { key, text } = addKey(file, { name: subject, grants, now: Date.now(), by: userInfo().username })
        process.stdout.write(values.json ? `${JSON.stringify({ id: key.id, key: text })}\n` : `${text}\n`)
        process.stderr.write(`verdict: key ${key.id} of ${key.name}; it is not shown again\n`)
        return 0
      }
      case 'list': {
        const all = readKeys(file).map(({ hash: _hash, ...shown }) => shown)
        process.stdout.write(values.json ? `${JSON.stringify(all, null, 2)}\n` : all.map(row).join(''))
        return 0
      }
      case 'revoke': {
        if (subject === undefined) throw new UsageError('keys revoke wants the ID of a key')
        const revoked = revokeKey(file, subject, Date.now(), userInfo().username)
        process.stderr.write(
          revoked === undefined ? `verdict: there is no key ${subject}\n` : `verdict: key ${subject} is good no more\n`,
        )
        return revoked === undefined ? EXIT_FAULTS : 0
      }
      default:
        return known satisfies never
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    process.stderr.write(`verdict: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT_OURS
  }
}

function roleOf(text: string): (typeof ROLES)[number] {
  const role = ROLES.find((one) => one === text)
  if (role === undefined) throw new UsageError(`--role wants one of ${ROLES.join(', ')}, got "${text}"`)
  return role
}

function row({ id, name, grants, createdAt, revokedAt }: Omit<ReturnType<typeof readKeys>[number], 'hash'>): string {
  const held = grants.map(({ workspace, roles }) => `${roles.join('+')} in ${everyOr(workspace)}`).join(', ')
  const since = new Date(createdAt).toISOString()
  const until = revokedAt === undefined ? '' : `  revoked ${new Date(revokedAt).toISOString()}`
  return `${id}  ${name}  ${held}  since ${since}${until}\n`
}

function everyOr(workspace: string): string {
  return workspace === EVERY_WORKSPACE ? 'every workspace' : workspace
}
