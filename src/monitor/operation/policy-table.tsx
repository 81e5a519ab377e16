/** The numbers that judge it, and where each comes from. */
import type { PolicyOrigin } from '../../authority/outlook.ts'
import { spokenDuration } from '../../authority/spoken-duration.ts'
import { now } from '../clock.ts'
import { relativeTime } from '../times.ts'
import { RULE_WORDS } from './evidence-words.ts'
import type { ToldOutlook } from './told-operation.ts'

const NAMES: Readonly<Record<string, string>> = {
  provisioningTimeoutMs: 'May wait for a worker',
  startGraceMs: 'From claim to first sign of life',
  heartbeatIntervalMs: 'Heartbeats come every',
  lateAfterMs: 'Late after silence of',
  staleAfterMs: 'Stale after silence of',
  progressTimeoutMs: 'May live without progress',
  maxRuntimeMs: 'May run',
  cancelGraceMs: 'May take to follow a cancel',
  retireTimeoutMs: 'May take to wind down',
  reconcileDelayMs: 'Reconciled after its deadline by',
  'retry.maxAttempts': 'Attempts in all',
  'retry.owner': 'Who tries again',
  'retry.backoff.initialMs': 'First pause between attempts',
  'retry.backoff.factor': 'Each pause grows by',
  'retry.backoff.maxMs': 'Longest pause',
  'retry.backoff.jitter': 'Pauses vary by',
  queue: 'A queue underneath',
  'queue.retryAfterMs': 'Queue: tries again after',
  'queue.safetyMarginMs': 'Queue: safety margin',
  'queue.workerStopWaitMs': 'Queue: waits for workers that stop',
  'queue.jobTimeoutMs': "Queue: a job's time-out",
}

const ORIGINS: Readonly<Record<PolicyOrigin, string>> = {
  default: 'default',
  kind: 'its kind',
  operation: 'set for it',
}

export function PolicyTable({ outlook }: { readonly outlook: ToldOutlook }) {
  const { policy, origins, deadlines, earliest, graceMs, reconciler } = outlook
  if (policy === null) return <p>It has none: it was registered to be judged by nobody.</p>
  return (
    <>
      <p>
        Reconciler: <strong>{reconciler.mode}</strong>
        {reconciler.isHeld && ', held by the breaker'}
        {reconciler.isAway && ', not in this process'}.
      </p>
      {deadlines.length > 0 && (
        <ul class="deadlines" aria-label="Deadlines">
          {deadlines.map(({ rule, deadlineAt }) => (
            <li key={rule}>
              {RULE_WORDS[rule] ?? rule}: <span class="time">{relativeTime(deadlineAt + graceMs, now.value)}</span>
              {rule === earliest?.rule && <strong> (counts now)</strong>}
            </li>
          ))}
        </ul>
      )}
      <table class="table policy">
        <thead>
          <tr>
            <th scope="col">Rule</th>
            <th scope="col">Value</th>
            <th scope="col">From</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(origins).map(([path, origin]) => (
            <tr key={path}>
              <th scope="row">{NAMES[path] ?? path}</th>
              <td>{valueTold(path, valueAt(policy, path))}</td>
              <td>{ORIGINS[origin] ?? origin}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="muted">
        These numbers were stored with it and judge it for life. “Set for it”: given when it was registered, or its kind
        had another value then.
      </p>
    </>
  )
}

function valueAt(policy: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => {
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
  }, policy)
}

function valueTold(path: string, value: unknown): string {
  if (value === null || value === undefined) return path === 'queue' ? 'none' : 'off'
  if (typeof value !== 'number') return String(value)
  if (path.endsWith('Ms')) return value === 0 ? 'at once' : spokenDuration(value)
  if (path.endsWith('factor')) return `× ${value}`
  return path.endsWith('jitter') ? `${value * 100} %` : String(value)
}
