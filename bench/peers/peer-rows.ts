/** From what was measured in each repetition to the rows of the table. */
import { type BenchRow, median, type Spread } from '../report.ts'
import { FLOOR, type Measure, type PeerEntry } from './catalogue.ts'
import type { Figures, Question } from './peer-main.ts'

/** That of the aims, and of the waits. */
export const IN_FLIGHT_OF_AIMS = 32
const WAIT_P99_MS_MAX = 5

/** Medians of the repetitions. Of W1 the value is operations/s, of waits the p99 in milliseconds. */
export interface PeerRow extends BenchRow {
  readonly peer: string
  readonly label: string
  readonly measure: Measure
  readonly inFlight: number
  readonly workMs?: number
  readonly spread: Spread
  readonly p50: number
  readonly p99: number
}

export type PeerCase = Question & { readonly peer: PeerEntry; readonly measure: Measure }

/** With the figures of each repetition, in order. */
export type MeasuredCase = PeerCase & { readonly figures: Figures[] }

export function rowsOf(cases: readonly MeasuredCase[]): readonly PeerRow[] {
  return cases.map((one) => (one.measure === 'w1' ? w1Row(one, floorOf(one, cases)) : waitsRow(one)))
}

function w1Row(one: MeasuredCase, floor: MeasuredCase | undefined): PeerRow {
  const { peer, inFlight } = one
  const rate = ({ rate }: Figures) => rate
  const row = rowOf(one, `W1, ${inFlight} in flight`, 'operations/s', rate)
  if (floor === undefined) return row
  const against = { ...row, floor: median(floor.figures.map(rate)), ratio: ratioTo(floor, one) }
  if (peer.aimTimes === undefined || inFlight !== IN_FLIGHT_OF_AIMS) return against
  return { ...against, aim: { ratioMin: peer.aimTimes } }
}

function waitsRow(one: MeasuredCase): PeerRow {
  const { peer, inFlight, workMs = 0 } = one
  const pace = workMs === 0 ? 'as fast as it goes' : `${workMs} ms of work each`
  return {
    ...rowOf(one, `waits, ${inFlight} in flight, ${pace}`, 'ms p99', ({ p99 }) => p99),
    workMs,
    ...(peer.aimTimes === undefined ? {} : { aim: { p99MsMax: WAIT_P99_MS_MAX } }),
  }
}

function rowOf(
  { peer: { name: peer, label }, measure, inFlight, figures }: MeasuredCase,
  what: string,
  unit: string,
  value: (figures: Figures) => number,
): PeerRow {
  const values = figures.map(value)
  return {
    peer,
    label,
    measure,
    inFlight,
    case: `${label}: ${what}`,
    value: median(values),
    unit,
    spread: { min: Math.min(...values), max: Math.max(...values) },
    p50: median(figures.map(({ p50 }) => p50)),
    p99: median(figures.map(({ p99 }) => p99)),
  }
}

/** None for the floor itself. */
function floorOf(one: MeasuredCase, cases: readonly MeasuredCase[]): MeasuredCase | undefined {
  if (one.peer.name === FLOOR) return undefined
  const isFloor = ({ peer, measure, inFlight }: MeasuredCase) =>
    peer.name === FLOOR && measure === 'w1' && inFlight === one.inFlight
  return cases.find(isFloor)
}

/** Of each repetition by itself: the machine changes from one to the next. */
function ratioTo(floor: MeasuredCase, { figures }: MeasuredCase): number {
  return median(figures.map(({ rate }, repetition) => rate / (floor.figures[repetition]?.rate ?? Number.NaN)))
}
