/** From the points that the server tells, which has none where nothing happened, to series without holes. Pure. */
import type { RatePoint, RateStep, Transition } from '../../authority/monitoring.ts'

/** Over the wire a quantile that nobody measured is left out. */
export type WireRatePoint = Pick<RatePoint, 'kind' | 'fromAt' | 'counts'> & Partial<RatePoint>

export interface Span {
  readonly name: string
  readonly title: string
  readonly ms: number
  readonly step: RateStep
  readonly stepMs: number
  readonly per: string
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const HOUR: Span = { name: '1h', title: 'Last hour', ms: HOUR_MS, step: 'minute', stepMs: MINUTE_MS, per: 'minute' }
export const SPANS: readonly Span[] = [
  HOUR,
  { name: '6h', title: 'Last 6 hours', ms: 6 * HOUR_MS, step: 'minute', stepMs: MINUTE_MS, per: 'minute' },
  { name: '24h', title: 'Last day', ms: 24 * HOUR_MS, step: '5 minutes', stepMs: 5 * MINUTE_MS, per: '5 minutes' },
  { name: '7d', title: 'Last 7 days', ms: 168 * HOUR_MS, step: 'hour', stepMs: HOUR_MS, per: 'hour' },
]
export const DAYS: Span = {
  name: '30d',
  title: 'Last 30 days',
  ms: 720 * HOUR_MS,
  step: 'day',
  stepMs: 24 * HOUR_MS,
  per: 'day',
}

export function spanNamed(name: string | null): Span {
  return SPANS.find((span) => span.name === name) ?? HOUR
}

/** The beginning of each step from one span ago until now, epoch ms. */
export function momentsOf({ ms, stepMs }: Span, now: number): readonly number[] {
  const last = Math.floor(now / stepMs) * stepMs
  const count = Math.round(ms / stepMs)
  return Array.from({ length: count }, (_, i) => last - (count - 1 - i) * stepMs)
}

/** What happened in each of these moments; 0 where the server tells of none. */
export function countsAt(
  points: readonly WireRatePoint[],
  moments: readonly number[],
  transitions: readonly Transition[],
): readonly number[] {
  const sums = new Map<number, number>()
  for (const { fromAt, counts } of points) {
    const count = transitions.reduce((sum, name) => sum + (counts[name] ?? 0), 0)
    sums.set(fromAt, (sums.get(fromAt) ?? 0) + count)
  }
  return moments.map((at) => sums.get(at) ?? 0)
}

/** Of one kind: null where no attempt was claimed or ended. */
export function quantilesAt(
  points: readonly WireRatePoint[],
  moments: readonly number[],
  of: 'queueWait' | 'runTime',
  quantile: 'p50' | 'p90' | 'p99',
): readonly (number | null)[] {
  const known = new Map(points.map((point) => [point.fromAt, point[of]?.[quantile]]))
  return moments.map((at) => known.get(at) ?? null)
}

/** The kinds of these points, those of which most happened first. */
export function busiestKinds(points: readonly WireRatePoint[]): readonly string[] {
  const sums = new Map<string, number>()
  for (const { kind, counts } of points) {
    sums.set(
      kind,
      Object.values(counts).reduce((sum, count) => sum + count, sums.get(kind) ?? 0),
    )
  }
  return [...sums].sort(([a, ofA], [b, ofB]) => ofB - ofA || (a < b ? -1 : 1)).map(([kind]) => kind)
}

export function sumOf(values: readonly (number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0)
}
