/** What is known of read models, as lines for people. */
import type { EmbeddedNode } from '../app/embedded-node.ts'

type ReadSide = EmbeddedNode['readSide']
type Health = Awaited<ReturnType<ReadSide['health']>>[number]
type Parked = Health['parked'][number] & { readonly projection: string }
type Difference = Awaited<ReturnType<ReadSide['check']>>['differences'][number]

export function projectionLines(all: readonly Health[]): readonly string[] {
  const rows = all.map((one) => [
    one.projection,
    one.status,
    `position ${one.position ?? '-'}`,
    behind(one),
    ...(one.parked.length > 0 ? [`${one.parked.length} parked`] : []),
    ...(one.discarded.length > 0 ? [`${one.discarded.length} discarded`] : []),
    ...(one.hidden ? [`${one.hidden} operations out of the lists, to be deleted`] : []),
    ...(one.message === undefined ? [] : [one.message]),
  ])
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => (row[i] ?? '').length)))
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function behind({ lag, rebuild }: Health): string {
  if (rebuild !== undefined) return `${rebuild.events} events of position ${rebuild.position}/${rebuild.end}`
  if (lag === undefined) return '-'
  if (lag.events === 0) return 'up to date'
  return `${lag.events}${lag.isMore ? '+' : ''} events, ${(lag.ms / 1_000).toFixed(1)} s behind`
}

export function toldParked({ projection, stream, revision, position, error, tries }: Parked): string {
  return `${projection}  ${stream}  parked at revision ${revision} (position ${position}), tried ${tries} times: ${error}`
}

export function toldDifference({ table, key, type }: Difference): string {
  return `${table} [${key.map(String).join(', ')}]: ${type}`
}
