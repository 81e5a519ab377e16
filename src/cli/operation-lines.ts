/** Operations as people read them: a table, a page about one, a line while it runs. */
import { writtenDuration } from '../client/durations.ts'
import type { OperationHandle } from '../client/operation-handle.ts'

export type OperationSnapshot = NonNullable<Awaited<ReturnType<OperationHandle['snapshot']>>>

type Shown = Pick<
  OperationSnapshot,
  'id' | 'owner' | 'kind' | 'name' | 'status' | 'elapsedMs' | 'progress' | 'judgement'
>

const CELL_CHARACTERS_MAX = 40

/** With columns of even width, a head first. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map(short))
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

export function operationRows(operations: readonly Shown[]): string {
  const rows = operations.map((one) => [
    one.id,
    one.owner,
    one.kind,
    standingOf(one),
    progressOf(one.progress),
    lasted(one.elapsedMs),
    one.name,
  ])
  return table(['ID', 'OWNER', 'KIND', 'STATUS', 'PROGRESS', 'FOR', 'NAME'], rows)
}

/** Everything that a person asks first, and the sentence that says what happens next. */
export function operationPage(operation: OperationSnapshot): string {
  const { outcome, cancel, lease, phases, labels, diagnostics, explanation } = operation
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['id', operation.id],
    ['name', operation.name],
    ['kind', operation.kind],
    ['owner', `${operation.workspace}/${operation.owner}`],
    ['status', standingOf(operation)],
    ['progress', progressOf(operation.progress) || undefined],
    ['message', operation.progress.message],
    ['attempt', String(operation.attempt)],
    [
      'lease',
      lease?.open ? `epoch ${lease.epoch}${lease.claimant === undefined ? '' : ` of ${lease.claimant.id}`}` : undefined,
    ],
    [
      'labels',
      Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ') || undefined,
    ],
    ['registered', new Date(operation.registeredAt).toISOString()],
    ['for', lasted(operation.elapsedMs)],
    ['phases', phases.map(({ name, status }) => `${name} ${status}`).join(', ') || undefined],
    ['cancel', cancel === undefined ? undefined : `asked${cancel.reason === undefined ? '' : `: ${cancel.reason}`}`],
    ['last error', diagnostics?.lastError?.message],
    ['outcome', outcome === undefined ? undefined : JSON.stringify(outcome)],
  ]
  const told = facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(11)} ${value}\n`]))
  return `${told.join('')}\n${explanation}\n`
}

export function standingOf({ status, judgement }: Pick<Shown, 'status' | 'judgement'>): string {
  const { freshness } = judgement
  return freshness === 'late' || freshness === 'likely_stale' ? `${status} (${freshness.replace('_', ' ')})` : status
}

export function progressOf({ percent, processed, total }: Shown['progress']): string {
  if (processed !== undefined) return total === undefined ? String(processed) : `${processed}/${total}`
  return percent === undefined ? '' : `${Math.floor(percent)}%`
}

function lasted(ms: number): string {
  return writtenDuration(ms < SECOND_MS ? ms : ms - (ms % SECOND_MS))
}

const SECOND_MS = 1_000

function short(cell: string): string {
  // What would break a line, or write on a terminal what it likes.
  const plain = cell.replace(/\p{Cc}/gu, ' ')
  return plain.length <= CELL_CHARACTERS_MAX ? plain : `${plain.slice(0, CELL_CHARACTERS_MAX - 1)}…`
}
