/**
 * `/livez`: the process answers. `/readyz`: it takes commands. What merely lags (read models) or rests (the reconciler) is told
 * apart from that, and never takes a server out of service that can do its work.
 */
import type { FastifyRequest } from 'fastify'
import type { ServerPlugin } from './server.ts'

export interface CommandsStanding {
  readonly status: 'ok' | 'read_only' | 'unavailable' | 'damaged' | 'closed'
  readonly message?: string
}

export interface ProjectionStanding {
  readonly projection: string
  readonly status: string
  readonly message?: string
  /** There are rows to ask for. */
  readonly isServed: boolean
  readonly lagEvents?: number
  readonly lagMs?: number
  readonly parked: number
}

export interface ReconcilerStanding {
  readonly status: 'on' | 'off' | 'abstaining' | 'held'
  readonly message?: string
}

export interface HealthPort {
  readonly commands: () => CommandsStanding
  /** Rejects where the threads of the read side do not answer in time. */
  readonly projections: () => Promise<readonly ProjectionStanding[]>
  readonly reconciler: () => ReconcilerStanding
}

const LIVE = '/livez'
const READY = '/readyz'

export function healthRoutes(health: HealthPort): ServerPlugin {
  return (app, { openPaths, whoAsks, draining }) => {
    openPaths.add(LIVE).add(READY)
    app.get(LIVE, () => ({ status: 'ok' }))
    app.get(READY, async (request, reply) => {
      const commands = health.commands()
      const isReady = commands.status === 'ok' && !draining.aborted
      const status = isReady ? 'ready' : draining.aborted ? 'draining' : 'not_ready'
      void reply.code(isReady ? 200 : 503)
      if (!isVerbose(request)) return { status }
      // What stands in the way may name files and machines.
      await whoAsks(request)
      const projections = await health.projections().catch((error: unknown) => String(error))
      return { status, checks: { commands, ...readsOf(projections), reconciler: health.reconciler() } }
    })
  }
}

function isVerbose({ query }: FastifyRequest): boolean {
  return typeof query === 'object' && query !== null && 'verbose' in query
}

function readsOf(projections: readonly ProjectionStanding[] | string) {
  if (typeof projections === 'string') {
    return { reads: { status: 'unavailable', message: projections }, projections: { status: 'unknown', all: [] } }
  }
  const isServed = projections.every((one) => one.isServed)
  const isFollowing = projections.every(({ status }) => status === 'following' || status === 'standby')
  return {
    reads: { status: isServed ? 'ok' : 'not_served' },
    projections: { status: isFollowing ? 'ok' : 'behind', all: projections },
  }
}
