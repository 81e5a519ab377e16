/** What whoever is paged has to do, in words: about this operation, its worker, and the reconciler. Pure. */
import type { Claimant } from '../../authority/events.ts'
import type { Judgement } from '../../authority/freshness.ts'
import type { ReconcilerIntent } from '../../authority/outlook.ts'
import type { ToldOperation, ToldOutlook } from './told-operation.ts'

/** Sentences, the most urgent first. */
export function guidance(
  operation: ToldOperation,
  judgement: Judgement,
  outlook: ToldOutlook | undefined,
): readonly string[] {
  const { outcome, contradictions } = operation
  const found: string[] = []
  if (contradictions > 0 && outcome === undefined) {
    found.push(
      'A worker of an earlier attempt reported after it had lost its lease: two may have worked at the same time. What it claimed stands below.',
    )
  }
  if (contradictions > 0 && outcome !== undefined) {
    found.push(
      'A late report claims another end than the one on record. Look at what was really done before you act on either; the reports stand below.',
    )
  }
  if (outcome !== undefined) return [...found, ...afterwards(operation, judgement)]
  const intent = outlook === undefined ? undefined : intentSentence(outlook.reconciler, operation.kind)
  if (judgement.freshness === 'likely_stale') found.push(...suspicion(operation, judgement))
  else if (judgement.freshness === 'late') {
    found.push(
      'Nothing has to be done yet: it may speak again by itself. If you can reach its worker, look whether it lives.',
    )
  } else if (operation.cancel !== undefined) {
    found.push('Nothing has to be done: its worker was asked to stop, and is given time for it.')
  } else if (judgement.freshness === 'no_policy') {
    found.push('Nobody ends it but its worker or a person: if its worker is gone, force a cancel.')
  } else if (contradictions === 0) found.push('Nothing has to be done.')
  return intent === undefined ? found : [...found, intent]
}

/** Where the reconciler does not do what the sentence of the judgement says; undefined where it does. */
export function intentSentence({ mode, isHeld, isAway }: ReconcilerIntent, kind: string): string | undefined {
  if (mode === 'off') return `The reconciler is off for the kind “${kind}”: nobody ends it by itself but its worker.`
  if (mode === 'observe') return `The reconciler only observes the kind “${kind}”: it counts, and changes nothing.`
  if (isHeld) {
    return `The breaker of the kind “${kind}” is open: so many of it seem dead at once that none is ended. Look for one cause of all; then release it with “verdict reconcile --release”.`
  }
  if (isAway)
    return 'No reconciler runs in this server: unless another process judges this log, nothing happens by itself.'
  return undefined
}

function suspicion({ lease, kind }: ToldOperation, { rule }: Judgement): readonly string[] {
  const worker = lease?.claimant === undefined ? 'its worker' : workerOf(lease.claimant)
  switch (rule) {
    case 'queued':
      return [
        `Look whether a worker for the kind “${kind}” runs and reaches this server: it is taken as soon as one asks for it.`,
      ]
    case 'first_sign':
    case 'sign':
      return [
        `Look at ${worker}. If it is gone, nothing is lost by judging it now (“Reconcile now”); if it lives, look why its heartbeats do not arrive.`,
      ]
    case 'progress':
      return [`Look at ${worker}: it lives and moves nothing. Request a cancel, or judge it now.`]
    case 'runtime':
      return [
        `It has run for longer than its kind allows. Look at ${worker}, and raise maxRuntime if so long is right.`,
      ]
    case 'cancel':
      return [`Look at ${worker}: it was asked to stop and does not. Forcing the cancel does not stop the work itself.`]
    case 'retire':
      return [`Look at ${worker}: it was asked to wind down and has not.`]
    default:
      return [`Look at ${worker}.`]
  }
}

export function workerOf({ id, host, pid, version }: Claimant): string {
  const where = host === undefined ? '' : ` on ${host}`
  const process = pid === undefined ? '' : ` (process ${pid})`
  return `worker “${id}”${version === undefined ? '' : ` ${version}`}${where}${process}`
}

function afterwards({ outcome }: ToldOperation, { freshness }: Judgement): readonly string[] {
  if (outcome?.status === 'completed') return freshness === 'reconciled' ? [CHECK_FIRST] : ['Nothing has to be done.']
  if (freshness === 'reconciled') return [CHECK_FIRST, TRY_AGAIN]
  if (outcome?.status === 'failed') return ['Read what was thrown among the facts below.', TRY_AGAIN]
  return ['Nothing has to be done. If it is wanted after all, retry it as a new operation.']
}

const CHECK_FIRST =
  'It did not end by its own word: part of its work may have been done. Look at what it left behind before you build on it.'
const TRY_AGAIN = 'Once the cause is gone, retry it as a new operation; this one stays as it is.'
