/**
 * How long things took, by two labels: a histogram as Prometheus has them. Counted in place, because every request and every command is:
 * prom-client's own builds a text of its labels for each, which is most of what it costs.
 */
import type { Histogram, Registry } from 'prom-client'

export interface SecondsHistogramOptions {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly [first: string, second: string]
  /** Upper bounds in seconds, ascending. */
  readonly buckets: readonly number[]
  readonly registry: Registry
}

interface Row {
  readonly labels: Readonly<Record<string, string>>
  /** How many lie in each bucket, and in none of those below; those above the last bound are only counted. */
  readonly counts: number[]
  count: number
  sum: number
}

/** One line of what is told. */
interface Told {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

export class SecondsHistogram {
  readonly name: string
  readonly #options: SecondsHistogramOptions
  readonly #rows = new Map<string, Map<string, Row>>()

  constructor(options: SecondsHistogramOptions) {
    this.#options = options
    this.name = options.name
    // A registry asks nothing of a metric but its name and `get`.
    options.registry.registerMetric(this as unknown as Histogram)
  }

  observe(first: string, second: string, seconds: number): void {
    const row = this.#rows.get(first)?.get(second) ?? this.#rowOf(first, second)
    row.count++
    row.sum += seconds
    const { buckets } = this.#options
    for (let i = 0; i < buckets.length; i++) {
      if (seconds > (buckets[i] as number)) continue
      ;(row.counts[i] as number)++
      return
    }
  }

  /** For the registry, at each scrape. */
  async get() {
    const { name, help } = this.#options
    const rows = [...this.#rows.values()].flatMap((ofFirst) => [...ofFirst.values()])
    return { name, help, type: 'histogram', values: rows.flatMap((row) => this.#told(row)), aggregator: 'sum' }
  }

  #rowOf(first: string, second: string): Row {
    const { labelNames, buckets } = this.#options
    const labels = { [labelNames[0]]: first, [labelNames[1]]: second }
    const row = { labels, counts: buckets.map(() => 0), count: 0, sum: 0 }
    const ofFirst = this.#rows.get(first) ?? new Map<string, Row>()
    this.#rows.set(first, ofFirst.set(second, row))
    return row
  }

  #told({ labels, counts, count, sum }: Row): readonly Told[] {
    const { name, buckets } = this.#options
    let below = 0
    return [
      ...buckets.map((bound, i) => {
        below += counts[i] as number
        return { metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: below }
      }),
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
}
