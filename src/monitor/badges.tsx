/**
 * How an operation stands, as colour, icon and word together. What was reconciled never looks like a failure that its worker told,
 * and only what is running and fresh moves.
 */
import type { Freshness } from '../authority/freshness.ts'
import type { PresentStatus } from '../authority/status.ts'
import { Icon, type IconName } from './icons.tsx'

interface Look {
  readonly word: string
  readonly icon: IconName
  readonly tone: Tone
}

export type Tone = 'good' | 'active' | 'calm' | 'warning' | 'alarm' | 'failure' | 'judged'

export const STATUS_LOOKS: Readonly<Record<PresentStatus, Look>> = {
  provisioning: { word: 'provisioning', icon: 'waiting', tone: 'active' },
  running: { word: 'running', icon: 'running', tone: 'active' },
  retiring: { word: 'retiring', icon: 'retiring', tone: 'active' },
  completed: { word: 'completed', icon: 'completed', tone: 'good' },
  failed: { word: 'failed', icon: 'failed', tone: 'failure' },
  aborted: { word: 'aborted', icon: 'cancelled', tone: 'calm' },
  cancelled: { word: 'cancelled', icon: 'cancelled', tone: 'calm' },
  retired: { word: 'retired', icon: 'cancelled', tone: 'calm' },
  terminated: { word: 'terminated', icon: 'failed', tone: 'failure' },
}

export const FRESHNESS_LOOKS: Readonly<Record<Freshness, Look>> = {
  fresh: { word: 'fresh', icon: 'fresh', tone: 'good' },
  late: { word: 'late', icon: 'late', tone: 'warning' },
  likely_stale: { word: 'likely stale', icon: 'likely_stale', tone: 'alarm' },
  reconciled: { word: 'reconciled', icon: 'reconciled', tone: 'judged' },
  terminal: { word: 'ended', icon: 'terminal', tone: 'calm' },
  no_policy: { word: 'no policy', icon: 'no_policy', tone: 'calm' },
}

/** An unknown word of a newer server is shown as it is. */
const UNKNOWN = { icon: 'no_policy', tone: 'calm' } as const

export function FreshnessBadge({ freshness }: { readonly freshness: Freshness }) {
  const { word, icon, tone } = FRESHNESS_LOOKS[freshness] ?? { word: freshness, ...UNKNOWN }
  return (
    <span class={`badge badge-chip tone-${tone}`} data-freshness={freshness}>
      <Icon name={icon} class={freshness === 'fresh' ? 'pulse' : undefined} />
      {word}
    </span>
  )
}

/** `isReconciled`: it did not end by its own word. */
export function StatusBadge({
  status,
  isReconciled = false,
}: {
  readonly status: PresentStatus
  readonly isReconciled?: boolean
}) {
  const { word, icon, tone } = STATUS_LOOKS[status] ?? { word: status, ...UNKNOWN }
  return (
    <span class={`badge tone-${isReconciled ? 'judged' : tone}`} data-status={status}>
      <Icon name={isReconciled ? 'reconciled' : icon} />
      {word}
    </span>
  )
}

export interface Standing {
  readonly status: PresentStatus
  readonly judgement: { readonly freshness: Freshness }
  readonly contradictions: number
}

/** Status and freshness side by side; that it has ended says the status already. */
export function StandingBadges({ status, judgement: { freshness }, contradictions }: Standing) {
  return (
    <span class="standing">
      <StatusBadge status={status} isReconciled={freshness === 'reconciled'} />
      {freshness !== 'terminal' && <FreshnessBadge freshness={freshness} />}
      {contradictions > 0 && (
        <span class="badge badge-chip tone-warning">
          <Icon name="contradicted" />
          contradicted
        </span>
      )}
    </span>
  )
}
