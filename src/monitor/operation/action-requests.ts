/** What an operator may want, as the request that it is; with what comes of it, in words. Pure. */
import type { OperatorAction } from '../../authority/outlook.ts'
import { REASON_SENTENCES } from '../../authority/reason-sentences.ts'
import { spokenDuration } from '../../authority/spoken-duration.ts'
import { absoluteTime } from '../times.ts'
import type { HttpCommand } from './command-texts.ts'
import { workerOf } from './guidance.ts'
import {
  type OperationPlace,
  operationPath,
  ownerPath,
  type ToldOperation,
  type ToldOutlook,
  type ToldStory,
} from './told-operation.ts'

/** What an action is about, as the page knows it. */
export interface ActionSubject {
  readonly place: OperationPlace
  readonly outlook: ToldOutlook
  /** Undefined for one that nobody holds any more. */
  readonly operation: ToldOperation | undefined
  readonly story: ToldStory | undefined
}

export const ACTION_NAMES: Readonly<Record<OperatorAction, string>> = {
  cancel: 'Request cancel',
  'force-cancel': 'Force cancel',
  reconcile: 'Reconcile now',
  retry: 'Retry as new',
}

export interface ActionWishes {
  readonly reason: string
  /** Of a retry: what its finished phases gave is taken over. */
  readonly withPhaseResults: boolean
}

/** What the operation will be, which has to be typed; undefined where it can be mended or nothing is ended. */
export function typedConsequence(action: OperatorAction, { outlook }: ActionSubject): string | undefined {
  if (action === 'force-cancel') return 'cancelled'
  if (action !== 'reconcile') return undefined
  const type = outlook.verdict?.disposition.type
  return type === 'retry' ? 'lost' : type === 'cancel' ? 'cancelled' : type === 'complete' ? 'completed' : 'failed'
}

export function consequence(action: OperatorAction, { outlook, operation }: ActionSubject): string {
  const claimant = operation?.lease?.claimant
  const worker = claimant === undefined ? 'Its worker' : `Its ${workerOf(claimant)}`
  switch (action) {
    case 'cancel': {
      if (outlook.status === 'provisioning') return 'It is cancelled at once: no worker has taken it.'
      const grace = outlook.policy === null ? 'the time that is set' : spokenDuration(outlook.policy.cancelGraceMs)
      return `${worker} is asked to stop. If it has not after ${grace}, the cancel is forced by the reconciler.`
    }
    case 'force-cancel':
      return `It is cancelled at once and for good, without its worker's word. ${worker} is told with its next heartbeat; what was done until then stays done, and a late report is refused and put on record.`
    case 'reconcile':
      return judged(outlook)
    case 'retry':
      return 'A new operation is registered with the same kind, name, input, labels and key, and names this one. This one stays as it is.'
    default:
      return action satisfies never
  }
}

function judged({ verdict, attempt }: ToldOutlook): string {
  if (verdict === undefined) return 'There is nothing to judge it by.'
  const { disposition, reasonCode } = verdict
  const why = `${REASON_SENTENCES[reasonCode] ?? ''} (${reasonCode})`
  const late = 'If its worker lives after all, its report is refused and put on record.'
  switch (disposition.type) {
    case 'retry':
      return `Attempt ${attempt} is declared lost; the next may begin at ${absoluteTime(disposition.notBeforeAt)}. ${why} ${late}`
    case 'cancel':
      return `Its cancel is forced: it is cancelled for good. ${why} ${late}`
    case 'complete':
      return `It is completed, as its witness saw it. ${why}`
    case 'fail':
      return `It is failed for good. ${why} ${late}`
    default:
      return disposition satisfies never
  }
}

export function requestOf(action: OperatorAction, subject: ActionSubject, wishes: ActionWishes): HttpCommand {
  const { place, outlook } = subject
  const { reason } = wishes
  switch (action) {
    case 'cancel':
    case 'force-cancel':
      return { path: `${operationPath(place)}:${action}`, body: { reason } }
    case 'reconcile': {
      const { verdict } = outlook
      if (verdict === undefined) throw new Error('there is no verdict to be spoken')
      const { disposition, reasonCode } = verdict
      const given =
        disposition.type === 'cancel'
          ? { ...disposition, reason }
          : disposition.type === 'complete'
            ? disposition
            : { ...disposition, error: { message: reason, code: reasonCode } }
      return { path: `${operationPath(place)}:reconcile`, body: { ...verdict, disposition: given } }
    }
    case 'retry':
      return { path: `${ownerPath(place)}/operations`, body: registration(subject, wishes) }
    default:
      return action satisfies never
  }
}

/** Results of phases that were completed, by name: what a retry may take over. */
export function phaseResults({ operation }: ActionSubject): Readonly<Record<string, unknown>> {
  const completed =
    operation?.phases.filter(({ status, result }) => status === 'completed' && result !== undefined) ?? []
  return Object.fromEntries(completed.map(({ name, result }) => [name, result]))
}

/** As it was registered itself; the log has that longer than anybody. */
function registration(subject: ActionSubject, { reason, withPhaseResults }: ActionWishes): unknown {
  const { outlook, operation, story } = subject
  const born = story?.entries.find(({ type }) => type === 'OperationRegistered')
  const { kind, key } = (operation ?? born?.facts ?? {}) as { readonly kind?: string; readonly key?: string }
  const { name, labels, input } = (born?.content ?? operation ?? {}) as Partial<ToldOperation>
  const results = phaseResults(subject)
  return given({
    kind,
    name,
    input,
    labels,
    key,
    policy: policyAsked(outlook),
    // Where a new one comes from: an operator's retry, and why.
    source: `retry: ${reason}`,
    retryOf: { id: outlook.id, number: outlook.number },
    phaseResults: withPhaseResults && Object.keys(results).length > 0 ? results : undefined,
  })
}

/** The numbers that were set for it and not for its kind; 'none' where nobody was to judge it. */
function policyAsked({ policy, origins }: ToldOutlook): unknown {
  if (policy === null) return 'none'
  const own = (prefix: string) =>
    Object.entries(origins).some(
      ([path, origin]) => origin === 'operation' && (path === prefix || path.startsWith(`${prefix}.`)),
    )
  const { retry, ...numbers } = policy
  const parts = Object.fromEntries(Object.entries(numbers).filter(([name]) => own(name)))
  const retryParts = Object.fromEntries(Object.entries(retry).filter(([name]) => own(`retry.${name}`)))
  const asked = { ...parts, ...(Object.keys(retryParts).length === 0 ? {} : { retry: retryParts }) }
  return Object.keys(asked).length === 0 ? undefined : asked
}

function given(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
