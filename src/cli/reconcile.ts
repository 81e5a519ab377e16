/** `verdict reconcile`: one pass of the reconciler, by hand. */
import { userInfo } from 'node:os'
import { parseArgs } from 'node:util'
import type { EmbeddedNode } from '../app/embedded-node.ts'
import { shownLocation } from '../app/shown-location.ts'
import type { ConnectedVerdict } from '../client/connected-verdict.ts'
import { EXIT_OURS } from './exit-codes.ts'
import { type Place, placeOf, REACHED_HELP, REACHED_OPTIONS } from './place-option.ts'
import { reachedServer } from './reached-server.ts'
import { parsing, UsageError } from './usage-error.ts'

const HELP = `  verdict reconcile --dry-run                         who would be ended, and why; nothing is changed
  verdict reconcile --kinds export,import --limit 10
  verdict reconcile --owners acme --without-grace     nobody was at work while no process ran
  verdict reconcile --mode export=observe --reason 'queue is being moved'
  verdict reconcile --release export --reason 'the machine burnt down'
  verdict reconcile --server http://localhost:8080 --dry-run

Usage: verdict reconcile [options]

Ends the operations that did not speak for themselves for longer than their policy allows, or gives them their next attempt,
each with its reason. A process that embeds Verdict does so by itself, and so does a server: this is for logs that no process
watches, and for operators who will not wait.

With --mode or --release nobody is judged: the order is put on record in the log, with who gave it and why. Processes that run
follow it at once, others from their start on, and so does the next 'verdict reconcile'.

Options:
${REACHED_HELP}
  --kinds A,B        only operations of these kinds
  --owners A,B       only operations of these owners
  --workspaces A,B   only operations in these workspaces
  --limit N          end N operations at most
  --dry-run          judge and count, change nothing
  --without-grace    count all silence, also that in which no process could have heard anybody
  --mode KIND=MODE   enforce (act), observe (judge and count, change nothing) or off; may be given again; the kind * is every kind
  --release KIND     end them also where so many of this kind seem dead by now that the breaker holds; may be given again
  --reason TEXT      why; wanted with --mode and --release
  --actor NAME       who says so; default: the user of this process. At a server that is whoever holds the key
  --json             the whole report, for programs
  -h, --help

Exit codes: 0 when all was done that was due; 1 when the breaker holds some, or some were refused; 125 when the log can't be
opened, the server can't be reached or refuses, or the clock is not that of the log.
`

/** Something that is due was not done. */
const EXIT_LEFT = 1

/** The reconciler of a log that is opened here, or of a server. */
interface Reconciling {
  /** In the same words, wherever it passed. */
  run(scope: Scope): Promise<Report>
  changeMode(kind: string, mode: Mode, order: { readonly reason: string }): Promise<unknown>
  release(kind: string, order: { readonly reason: string }): Promise<unknown>
  close(): Promise<void>
}

type Scope = NonNullable<Parameters<ConnectedVerdict['reconcile']>[0]>
type Report = Awaited<ReturnType<ConnectedVerdict['reconcile']>>

export async function reconcile(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsing(() =>
    parseArgs({
      args: [...args],
      options: {
        ...REACHED_OPTIONS,
        kinds: { type: 'string' },
        owners: { type: 'string' },
        workspaces: { type: 'string' },
        limit: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        'without-grace': { type: 'boolean', default: false },
        mode: { type: 'string', multiple: true, default: [] },
        release: { type: 'string', multiple: true, default: [] },
        reason: { type: 'string' },
        actor: { type: 'string' },
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
  const [stray] = positionals
  if (stray !== undefined) throw new UsageError(`reconcile takes no argument, got "${shownLocation(stray)}"`)
  const scope = {
    ...listed('kinds', values.kinds),
    ...listed('owners', values.owners),
    ...listed('workspaces', values.workspaces),
    ...limited(values.limit),
    dryRun: values['dry-run'],
    withoutGrace: values['without-grace'],
  }
  const orders = ordersOf(values)
  const place = placeOf(values)
  if (place.type === 'server' && values.actor !== undefined) {
    throw new UsageError('--actor goes with a log: at a server whoever holds the key says so')
  }
  try {
    const reconciling = await reconcilingAt(place, values.actor ?? userInfo().username)
    try {
      if (orders.length > 0) {
        for (const order of orders) await order.give(reconciling)
        process.stdout.write(orders.map(({ told: line }) => `${line}\n`).join(''))
        return 0
      }
      const report = await reconciling.run(scope)
      process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : told(report))
      if (report.abstained !== undefined) return EXIT_OURS
      return report.heldByBreaker + report.refused > 0 ? EXIT_LEFT : 0
    } finally {
      await reconciling.close()
    }
  } catch (error) {
    process.stderr.write(`verdict: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT_OURS
  }
}

async function reconcilingAt(place: Place, actor: string): Promise<Reconciling> {
  const log = { warn: (_facts: unknown, message: string) => process.stderr.write(`verdict: ${message}\n`) }
  if (place.type === 'server') {
    const verdict = await reachedServer(place, { log })
    const { reconciler } = verdict
    return {
      run: (scope) => verdict.reconcile(scope),
      changeMode: (...order) => reconciler.changeMode(...order),
      release: (...order) => reconciler.release(...order),
      close: () => verdict.close(),
    }
  }
  const { openNode } = await import('../app.ts')
  const {
    reconcile: run,
    reconciler,
    door,
  }: EmbeddedNode = await openNode(place.store.location, { mustExist: true, log })
  return {
    run: async (scope) => ({ ...(await run({ ...scope, onBehalfOf: userInfo().username })) }) as Report,
    changeMode: (kind, mode, order) => reconciler.changeMode(kind, mode, { actor, ...order }),
    release: (kind, order) => reconciler.release(kind, { actor, ...order }),
    close: () => door.close(),
  }
}

interface Order {
  readonly told: string
  give(reconciling: Reconciling): Promise<unknown>
}

function ordersOf(values: {
  readonly mode: readonly string[]
  readonly release: readonly string[]
  readonly reason?: string | undefined
}): readonly Order[] {
  const { mode: modes, release: releases, reason } = values
  if (modes.length + releases.length === 0) {
    if (reason === undefined) return []
    throw new UsageError('--reason goes with --mode or --release')
  }
  if (reason === undefined || reason.trim() === '') throw new UsageError('--mode and --release want --reason TEXT')
  return [
    ...modes.map((text): Order => {
      const at = text.lastIndexOf('=')
      const [kind, mode] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)]
      if (kind === '' || !isMode(mode)) throw new UsageError(`--mode wants KIND=enforce, observe or off, got "${text}"`)
      return { told: `${kind}: ${mode}`, give: (reconciling) => reconciling.changeMode(kind, mode, { reason }) }
    }),
    ...releases.map((kind): Order => {
      if (kind === '') throw new UsageError('--release wants a kind')
      return { told: `${kind}: released`, give: (reconciling) => reconciling.release(kind, { reason }) }
    }),
  ]
}

function isMode(text: string): text is Mode {
  return ['enforce', 'observe', 'off'].includes(text)
}

type Mode = Parameters<EmbeddedNode['reconciler']['changeMode']>[1]

function told(report: Report): string {
  const { candidates, reconciled, retried, cancelled, skipped, outdated, heldByBreaker, refused, dryRun } = report
  const lines = report.operations.map(({ workspace, owner, id, kind, rule, finding, reasonCode = '' }) =>
    `${finding} ${workspace}/${owner} ${id} (${kind}): ${rule} ${reasonCode}`.trimEnd(),
  )
  const counts = { candidates, reconciled, retried, cancelled, skipped, outdated, heldByBreaker, refused }
  const sum = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
  if (report.abstained !== undefined) lines.push(`nobody was judged: ${report.abstained}`)
  lines.push(`${dryRun ? 'dry run, nothing was changed: ' : ''}${sum.join(', ')}`)
  return `${lines.join('\n')}\n`
}

function listed(name: 'kinds' | 'owners' | 'workspaces', text: string | undefined) {
  if (text === undefined) return {}
  const names = text.split(',')
  if (names.includes('')) throw new UsageError(`--${name} wants names with commas between them, got "${text}"`)
  return { [name]: names }
}

function limited(text: string | undefined) {
  if (text === undefined) return {}
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--limit wants a whole number, got "${text}"`)
  return { limit: Number(text) }
}
