/** Metrics for Prometheus: what this server does, counted as it happens, and what the read models tell when they are asked. */
import { performance } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { CommandResult } from '../authority/command-answer.ts'
import { COMMAND_SCHEMAS } from '../authority/commands.ts'
import type { Quantiles } from '../authority/monitoring.ts'
import type { ServedDoor } from '../client/door.ts'
import type { ProjectionStanding } from './health-routes.ts'
import { assertEverywhere } from './operation-address.ts'
import { SecondsHistogram } from './seconds-histogram.ts'
import type { ServerPlugin } from './server.ts'

/** Asked at each scrape; what is not answered is left out, and said to be. */
export interface MetricsPort {
  readonly operations: () => Promise<{
    readonly operations: readonly { readonly kind: string; readonly status: string; readonly count: number }[]
    readonly freshness: Readonly<Record<string, number>>
    readonly oldestStaleMs: number | undefined
  }>
  readonly transitions: () => Promise<
    readonly { readonly kind: string; readonly counts: Readonly<Record<string, number>> }[]
  >
  readonly durations: () => Promise<
    readonly {
      readonly kind: string
      readonly queueWait: Quantiles | undefined
      readonly runTime: Quantiles | undefined
    }[]
  >
  readonly projections: () => Promise<readonly ProjectionStanding[]>
  readonly registries: () => { readonly registries: number; readonly bytes: number; readonly reloads: number }
  readonly onAppend: (listener: (ms: number) => void) => void
  readonly onFlush: (listener: (ms: number) => void) => void
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const PATH = '/metrics'
const DENIED: Readonly<Record<number, string>> = { 401: 'unauthenticated', 403: 'forbidden' }
const QUANTILES: Readonly<Record<string, string>> = { p50: '0.5', p90: '0.9', p99: '0.99' }

export class Metrics {
  readonly registry = new Registry()
  readonly #port: MetricsPort
  readonly #commands = new SecondsHistogram({
    name: 'verdict_command_seconds',
    help: 'From a command at the door to its answer.',
    labelNames: ['command', 'result'],
    buckets: SECONDS,
    registry: this.registry,
  })
  readonly #requests = new SecondsHistogram({
    name: 'verdict_http_request_seconds',
    help: 'From a request to its response, waits included.',
    labelNames: ['endpoint', 'status'],
    buckets: SECONDS,
    registry: this.registry,
  })
  readonly #operations = this.#told('verdict_operations', 'Operations by kind and status.', ['kind', 'status'])
  readonly #freshness = this.#told(
    'verdict_operations_by_freshness',
    'Operations by how much they may still be trusted; counting stops at a cap.',
    ['freshness'],
  )
  readonly #oldest = this.#told(
    'verdict_oldest_stale_seconds',
    'For how long the deadline has passed that passed first; 0 where none has.',
    [],
  )
  readonly #queueWait = this.#told(
    'verdict_queue_wait_seconds',
    'From due to claimed, of the attempts claimed within the last hour.',
    ['kind', 'quantile'],
  )
  readonly #runTime = this.#told(
    'verdict_run_time_seconds',
    'From claim to end, of the attempts that ended within the last hour.',
    ['kind', 'quantile'],
  )
  readonly #lagEvents = this.#told('verdict_projection_lag_events', 'Events that a read model has not seen.', [
    'projection',
  ])
  readonly #lagSeconds = this.#told(
    'verdict_projection_lag_seconds',
    'For how long the first event waits that a read model has not seen.',
    ['projection'],
  )
  readonly #parkedStreams = this.#told(
    'verdict_projection_parked_streams',
    'Streams that a read model could not go on with; each waits for an event to make sense, or for an operator.',
    ['projection'],
  )
  readonly #transitions = new Counter({
    name: 'verdict_transitions_total',
    help: 'What happened to operations since the log began, by kind; reconciled ones among them.',
    labelNames: ['kind', 'transition'],
    registers: [this.registry],
  })
  readonly #denied = new Counter({
    name: 'verdict_requests_denied_total',
    help: 'Requests of nobody that is known (unauthenticated), or of somebody without the right (forbidden).',
    labelNames: ['code'],
    registers: [this.registry],
  })
  readonly #unanswered = new Counter({
    name: 'verdict_read_models_unanswered_total',
    help: 'Questions of scrapes that the read models did not answer.',
    registers: [this.registry],
  })

  constructor(port: MetricsPort) {
    this.#port = port
    collectDefaultMetrics({ register: this.registry })
    const appends = this.#histogram('verdict_append_seconds', 'From an append to its acknowledgement: durable by then.')
    port.onAppend((ms) => appends.observe(ms / 1_000))
    const flushes = this.#histogram(
      'verdict_log_flush_seconds',
      'A flush of the embedded log to disk, shared by the appends of one commit.',
    )
    port.onFlush((ms) => flushes.observe(ms / 1_000))
    this.gauge('verdict_registries_in_memory', 'Registries in memory.', () => port.registries().registries)
    this.gauge(
      'verdict_registries_in_memory_bytes',
      'What registries in memory take, by estimate; hotBytesMax bounds it.',
      () => port.registries().bytes,
    )
    new Counter({
      name: 'verdict_registries_reloaded_total',
      help: 'Registries that were loaded again soon after they were let go to make room: hotBytesMax is too little for those in use.',
      registers: [this.registry],
      collect() {
        this.reset()
        this.inc(port.registries().reloads)
      },
    })
  }

  /** The same door; how long each command takes is counted. */
  observed(door: ServedDoor): ServedDoor {
    const send: ServedDoor['send'] = (registry, command, options) => {
      const begunAt = performance.now()
      return door.send(registry, command, options).then((result) => {
        this.#commands.observe(typeOf(command), resultOf(result), (performance.now() - begunAt) / 1_000)
        return result
      })
    }
    return { ...door, send }
  }

  /** `GET /metrics`, for whoever may read every workspace; and a look at each request that passes. */
  routes(): ServerPlugin {
    return (app, { host, principalOf, endpointOf }) => {
      this.gauge('verdict_waits_open', 'Requests that wait.', () => host.polls.open)
      this.gauge('verdict_event_streams_open', 'Streams (SSE) of live events and of outcomes.', () => host.streams.open)
      this.gauge(
        'verdict_outcomes_waited',
        'Operations whose outcomes are waited for in streams.',
        () => host.outcomes.open,
      )
      app.addHook('onResponse', (request, reply, done) => {
        const endpoint = endpointOf(request)?.id ?? 'other'
        const denied = DENIED[reply.statusCode]
        if (denied !== undefined) this.#denied.inc({ code: denied })
        this.#requests.observe(endpoint, String(reply.statusCode), reply.elapsedTime / 1_000)
        done()
      })
      app.get(PATH, async (request, reply) => {
        assertEverywhere(principalOf(request), 'read')
        await this.#ask()
        return reply.type(this.registry.contentType).send(await this.registry.metrics())
      })
    }
  }

  /** A number that is looked up at each scrape: for other routes as well. */
  gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(value())
      },
    })
  }

  #told<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry] })
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: SECONDS, registers: [this.registry] })
  }

  /** Asks the read models; what they do not answer in time is left out, and counted. */
  async #ask(): Promise<void> {
    const asked = async <T>(ask: () => Promise<T>, show: (answer: T) => void) => {
      try {
        show(await ask())
      } catch {
        this.#unanswered.inc()
      }
    }
    const port = this.#port
    await Promise.all([
      asked(
        () => port.operations(),
        ({ operations: counted, freshness, oldestStaleMs = 0 }) => {
          this.#operations.reset()
          for (const { count, ...labels } of counted) this.#operations.set(labels, count)
          for (const [name, count] of Object.entries(freshness)) this.#freshness.set({ freshness: name }, count)
          this.#oldest.set(oldestStaleMs / 1_000)
        },
      ),
      asked(
        () => port.transitions(),
        (rows) => {
          this.#transitions.reset()
          for (const { kind, counts } of rows)
            for (const [transition, count] of Object.entries(counts)) this.#transitions.inc({ kind, transition }, count)
        },
      ),
      asked(
        () => port.durations(),
        (rows) => {
          this.#queueWait.reset()
          this.#runTime.reset()
          for (const { kind, queueWait, runTime } of rows) {
            showQuantiles(this.#queueWait, kind, queueWait)
            showQuantiles(this.#runTime, kind, runTime)
          }
        },
      ),
      asked(
        () => port.projections(),
        (all) => {
          for (const { projection, lagEvents, lagMs, parked } of all) {
            this.#parkedStreams.set({ projection }, parked)
            if (lagEvents !== undefined) this.#lagEvents.set({ projection }, lagEvents)
            if (lagMs !== undefined) this.#lagSeconds.set({ projection }, lagMs / 1_000)
          }
        },
      ),
    ])
  }
}

function showQuantiles(gauge: Gauge<'kind' | 'quantile'>, kind: string, told: Quantiles | undefined) {
  for (const [name, ms] of Object.entries(told ?? {}))
    gauge.set({ kind, quantile: QUANTILES[name] ?? name }, ms / 1_000)
}

/** Only names of ours become labels: whatever callers write would be without bound. */
function typeOf(command: Readonly<Record<string, unknown>> | { readonly type?: unknown }): string {
  const { type } = command
  return typeof type === 'string' && Object.hasOwn(COMMAND_SCHEMAS, type) ? type : 'unknown'
}

function resultOf(result: CommandResult): string {
  return result.type === 'answered' ? 'answered' : result.rejection.code
}
