/** What bench/README.md tells of a run with peers, as Markdown. All of it comes from the JSON of the run. */
import { aimOf, figure } from '../report.ts'
import { FLOOR, PEERS, type PeerEntry } from './catalogue.ts'
import { FAIRNESS } from './fairness.ts'
import { IN_FLIGHT_OF_AIMS, type PeerRow } from './peer-rows.ts'
import { factsLine, loadLine, type PeersReport } from './peers.ts'

export function peersTable(report: PeersReport): string {
  const { at, seconds, repetitions, loadBefore, machine, facts } = report
  return [
    `${at.slice(0, 16).replace('T', ' ')} UTC, ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.os}, Node ${machine.node}.`,
    `${repetitions} repetitions in turn, ${seconds} s for each case of W1 and half of that for waits, warm-up apart. Medians, and the least and the`,
    `most of the repetitions. ${loadLine(loadBefore)}`,
    '',
    '![W1 and waits of each peer](charts/peers.svg)',
    '',
    `W1, operations/s, each of three durable steps. *Times BullMQ* is the ratio to "${labelOf(FLOOR)}" at ${IN_FLIGHT_OF_AIMS} in flight,`,
    'the median of those of the repetitions.',
    '',
    ...w1Table(report),
    '',
    `Waits at ${IN_FLIGHT_OF_AIMS} in flight: milliseconds from the work's result to its waiter, the durable end included.`,
    '',
    ...waitsTable(report),
    '',
    ...slowerThan(report),
    '',
    'Versions and settings, those of Redis and PostgreSQL as they answer when they are asked:',
    '',
    ...facts.map((told) => `- ${factsLine(told)}`),
    '',
    'What is unfair, and to whom:',
    '',
    ...FAIRNESS.map((sentences) => `- ${sentences}`),
  ].join('\n')
}

function w1Table(report: PeersReport): readonly string[] {
  const rows = rowsOf(report, 'w1')
  const columns = [...new Set(rows.map(({ inFlight }) => inFlight))]
  return table(
    ['', ...columns.map((inFlight) => `${inFlight} in flight`), 'times BullMQ', 'aim'],
    peersOf(rows).map(([label, own]) => {
      const aimed = own.find(({ inFlight }) => inFlight === IN_FLIGHT_OF_AIMS)
      return [
        label,
        ...columns.map((inFlight) => spreadOf(own.find((row) => row.inFlight === inFlight))),
        aimed?.ratio?.toFixed(2) ?? '',
        aimed === undefined ? '' : aimOf(aimed),
      ]
    }),
  )
}

function waitsTable(report: PeersReport): readonly string[] {
  const rows = rowsOf(report, 'waits')
  const paces = [...new Set(rows.map(({ workMs = 0 }) => workMs))]
  const head = paces.flatMap((workMs) => {
    const pace = workMs === 0 ? 'as fast as it goes' : `${workMs} ms of work`
    return [`${pace}: p50`, 'p99', 'aim']
  })
  return table(
    ['', 'by', ...head],
    peersOf(rows).map(([label, own]) => [
      label,
      PEERS.find((peer) => peer.label === label)?.waitsBy ?? '',
      ...paces.flatMap((workMs) => {
        const row = own.find((row) => row.workMs === workMs)
        return [figure(row?.p50), spreadOf(row), row === undefined ? '' : aimOf(row)]
      }),
    ]),
  )
}

/** Where the product is behind a peer, in words; a table hides it. */
function slowerThan(report: PeersReport): readonly string[] {
  const lines = PEERS.filter(isVerdict).flatMap(({ name, label }) => {
    const own = report.rows.filter(({ peer }) => peer === name)
    return own.flatMap((row) => {
      const ahead = report.rows.filter((other) => !isVerdict(entryOf(other.peer)) && isBehind(row, other))
      if (ahead.length === 0) return []
      const what = row.case.slice(label.length + 2)
      return `- ${label}, ${what} (${figure(row.value)} ${row.unit}): behind ${ahead.map(nameAndFigure).join('; ')}.`
    })
  })
  return lines.length === 0 ? ['Verdict is behind none of them in any row.'] : ['Where Verdict loses:', '', ...lines]
}

function isVerdict(peer: PeerEntry | undefined): boolean {
  return peer?.aimTimes !== undefined
}

function isBehind(own: PeerRow, other: PeerRow): boolean {
  if (!isSameCase(own, other)) return false
  return own.measure === 'w1' ? own.value < other.value : own.value > other.value
}

function nameAndFigure({ label, value }: PeerRow): string {
  return `${label}, ${figure(value)}`
}

function isSameCase(one: PeerRow, other: PeerRow): boolean {
  return one.measure === other.measure && one.inFlight === other.inFlight && one.workMs === other.workMs
}

function rowsOf(report: PeersReport, measure: PeerRow['measure']): readonly PeerRow[] {
  return report.rows.filter((row) => row.measure === measure)
}

/** Each peer's own rows, in the order of the report. */
function peersOf(rows: readonly PeerRow[]): readonly (readonly [string, readonly PeerRow[]])[] {
  return [...Map.groupBy(rows, ({ label }) => label)]
}

function spreadOf(row: PeerRow | undefined): string {
  if (row === undefined) return ''
  return `${figure(row.value)} (${figure(row.spread.min)} to ${figure(row.spread.max)})`
}

function labelOf(name: string): string {
  return entryOf(name)?.label ?? name
}

function entryOf(name: string): PeerEntry | undefined {
  return PEERS.find((peer) => peer.name === name)
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...lines.map(line)]
}
