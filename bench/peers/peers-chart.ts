/**
 * The chart of a run with peers, as SVG: a bar for each row. W1 from zero; waits from p50 to p99 on a scale of powers of ten, because
 * between who is told and who asks once a second lie three of them. Colours follow the reader's light or dark.
 */
import { figure } from '../report.ts'
import type { PeerRow } from './peer-rows.ts'
import { IN_FLIGHT_OF_AIMS } from './peer-rows.ts'
import type { PeersReport } from './peers.ts'

const WIDTH = 900
/** Where bars begin and end; beside them stand who it is, and the figures. */
const LEFT = 250
const RIGHT = 680
const BAR = 12
const LINE = 18
const BETWEEN_PEERS = 10
const MARGIN = 24
const TITLE = 30

const STYLE = `
  .ground { fill: #ffffff } .text { fill: #1f2328 } .quiet { fill: #59636e } .line { stroke: #d1d9e0 }
  .own { fill: #0969da } .other { fill: #8c959f } .whisker { stroke: #1f2328 }
  text { font: 12px system-ui, sans-serif } .title { font-weight: 600; font-size: 14px } .name { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } .text { fill: #f0f6fc } .quiet { fill: #9198a1 } .line { stroke: #3d444d }
    .own { fill: #4493f8 } .other { fill: #7d8590 } .whisker { stroke: #f0f6fc }
  }`

/** A part of the picture, and how high it is. */
interface Panel {
  readonly svg: readonly string[]
  readonly height: number
}

export function peersChart(report: PeersReport): string {
  const w1 = w1Panel(
    report.rows.filter(({ measure }) => measure === 'w1'),
    MARGIN,
  )
  const waits = waitsPanel(
    report.rows.filter(({ measure }) => measure === 'waits'),
    2 * MARGIN + w1.height,
  )
  const height = 3 * MARGIN + w1.height + waits.height
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    '<title>W1 and waits of Verdict and its peers</title>',
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" width="${WIDTH}" height="${height}"/>`,
    ...w1.svg,
    ...waits.svg,
    '</svg>',
    '',
  ].join('\n')
}

function w1Panel(rows: readonly PeerRow[], top: number): Panel {
  const most = ceiling(Math.max(...rows.map(({ value, spread }) => Math.max(value, spread.max))))
  const x = (value: number) => LEFT + ((RIGHT - LEFT) * value) / most
  const ticks = [0, most / 4, most / 2, (most * 3) / 4, most]
  const title = 'W1: operations/s, by operations in flight; median of the repetitions, least and most'
  return panel(title, top, rows, ticks, x, (row) => ({
    name: `${row.inFlight}`,
    bar: [x(0), x(row.value)],
    whisker: [x(row.spread.min), x(row.spread.max)],
    end: x(row.spread.max),
    told: `${figure(row.value)} (${figure(row.spread.min)} to ${figure(row.spread.max)})`,
  }))
}

function waitsPanel(rows: readonly PeerRow[], top: number): Panel {
  const low = Math.floor(Math.log10(Math.min(...rows.map(({ p50 }) => p50))))
  const high = Math.ceil(Math.log10(Math.max(...rows.map(({ value, spread }) => Math.max(value, spread.max)))))
  const x = (ms: number) => LEFT + ((RIGHT - LEFT) * (Math.log10(ms) - low)) / Math.max(1, high - low)
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i))
  const title = `Waits: ms from p50 to p99, ${IN_FLIGHT_OF_AIMS} in flight; least and most p99; powers of ten`
  return panel(title, top, rows, ticks, x, (row) => ({
    name: row.workMs === 0 ? 'at full speed' : `${row.workMs} ms of work`,
    bar: [x(row.p50), x(row.p99)],
    whisker: [x(row.spread.min), x(row.spread.max)],
    end: Math.max(x(row.p99), x(row.spread.max)),
    told: `p50 ${figure(row.p50)}, p99 ${figure(row.p99)} ms`,
  }))
}

interface Bar {
  readonly name: string
  readonly bar: readonly [number, number]
  readonly whisker: readonly [number, number]
  /** Of what is drawn. */
  readonly end: number
  readonly told: string
}

function panel(
  title: string,
  top: number,
  rows: readonly PeerRow[],
  ticks: readonly number[],
  x: (value: number) => number,
  barOf: (row: PeerRow) => Bar,
): Panel {
  const svg: string[] = []
  let y = top + TITLE
  for (const [label, own] of Map.groupBy(rows, (row) => row.label)) {
    svg.push(text(MARGIN, y + BAR, 'text name', label))
    // A long name has a line of its own.
    y += LINE
    for (const row of own) {
      svg.push(...drawn(barOf(row), y, row.peer.startsWith('verdict') ? 'own' : 'other'))
      y += LINE
    }
    y += BETWEEN_PEERS
  }
  const axis = ticks.map((tick) => [
    `<line class="line" x1="${at(x(tick))}" x2="${at(x(tick))}" y1="${top + TITLE - 4}" y2="${y}"/>`,
    text(x(tick), y + 14, 'quiet', tick === 0 ? '0' : tickText(tick), 'middle'),
  ])
  return {
    svg: [text(MARGIN, top + 6, 'text title', title), ...axis.flat(), ...svg],
    height: y + 14 - top,
  }
}

function drawn({ name, bar: [from, to], whisker: [least, most], end, told }: Bar, y: number, tone: string): string[] {
  const middle = y + BAR / 2
  return [
    text(LEFT - 8, y + BAR - 2, 'quiet', name, 'end'),
    // At least a hair, so that a small one is seen.
    `<rect class="bar ${tone}" x="${at(from)}" y="${y}" width="${at(Math.max(1.5, to - from))}" height="${BAR}" rx="2"/>`,
    `<line class="whisker" x1="${at(least)}" x2="${at(most)}" y1="${middle}" y2="${middle}"/>`,
    ...[least, most].map(
      (x) => `<line class="whisker" x1="${at(x)}" x2="${at(x)}" y1="${middle - 3}" y2="${middle + 3}"/>`,
    ),
    text(Math.max(end, to) + 8, y + BAR - 2, 'text', told),
  ]
}

function text(x: number, y: number, tone: string, content: string, anchor = 'start'): string {
  return `<text class="${tone}" x="${at(x)}" y="${at(y)}" text-anchor="${anchor}">${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** A tenth of a pixel is enough, and the same on every machine. */
function at(pixels: number): string {
  return pixels.toFixed(1)
}

function tickText(value: number): string {
  return value >= 1 ? value.toLocaleString('en-US') : String(value)
}

/** The next 1, 2, 4 or 8 of its power of ten. */
function ceiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 8].find((step) => step * power >= value) ?? 10) * power
}
