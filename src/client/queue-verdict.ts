/**
 * What the queue knows, said of an operation: as a verdict with evidence (lifecycle.md, section 9), so that whatever its worker
 * said in the meantime wins. Said by many at once, it is said once.
 */
import type { CommandOf } from '../authority/commands.ts'
import type { OperationError, ReasonCode, WitnessAnswer } from '../authority/events.ts'
import type { OperationSnapshot, RegistryAddress } from '../authority/questions.ts'
import { isTerminal } from '../authority/status.ts'
import type { Clock } from '../runtime/clock.ts'
import type { WarningLog } from '../runtime/warning-log.ts'
import { bareErrorOf, UNSTORABLE } from './error-input.ts'
import { OperationRejected } from './operation-errors.ts'
import { retriedCall } from './retried-call.ts'
import type { Verdict } from './verdict.ts'

/** What everything between a queue and Verdict is done with. */
export interface BridgeParts {
  readonly verdict: Verdict
  readonly clock: Clock
  readonly log: WarningLog
  readonly newId: () => string
  /** Aborted when the bridge closes: nothing is sent again after that. */
  readonly closed: AbortSignal
}

export interface OperationRef extends RegistryAddress {
  readonly id: string
}

export interface QueueVerdict {
  readonly witness: WitnessAnswer
  readonly reasonCode: ReasonCode
  readonly disposition: CommandOf<'ReconcileOperation'>['disposition']
  /** Given, it is said in the name of this lease alone. */
  readonly leaseEpoch?: number
}

/** How often an operation may move on between a look at it and the verdict. */
const LOOKS_MAX = 8

/**
 * Looks at the operation, asks for the verdict over it as it stands, and sends that. Looks again where it has moved on in
 * between. Undefined when there is nothing to say: it is not there, it is over, or `judge` has no verdict. Throws
 * OperationRejected for what is refused for another reason.
 */
export async function speakForQueue(
  parts: BridgeParts,
  ref: OperationRef,
  judge: (operation: OperationSnapshot) => Promise<QueueVerdict | undefined> | QueueVerdict | undefined,
): Promise<QueueVerdict | undefined> {
  const { verdict, clock } = parts
  const { workspace, owner, id } = ref
  for (let look = 1; ; look++) {
    // Before the look: what happens after it makes the evidence outdated.
    const { revision } = await verdict.owner(owner, { workspace }).overview()
    const operation = await verdict.operation(ref).snapshot()
    if (operation === undefined || isTerminal(operation.status)) return undefined
    const said = await judge(operation)
    if (said === undefined) return undefined
    const { witness, reasonCode, disposition, leaseEpoch } = said
    const { number, attempt } = operation
    const evidence = {
      rule: 'witness' as const,
      witness,
      attempt,
      lastRevision: revision,
      judgedAt: Math.floor(clock.now()),
      graceMs: 0,
    }
    const command = { type: 'ReconcileOperation', id, leaseEpoch, evidence, reasonCode }
    const send = (told: QueueVerdict['disposition']) =>
      retriedCall(parts, { operationId: id, reasonCode }, () =>
        verdict.send(
          { ...command, disposition: told },
          { workspace, owner, commandId: `job-${told.type}:${number}:${attempt}` },
        ),
      )
    try {
      await sendStorable(send, disposition)
      return said
    } catch (error) {
      if (!(error instanceof OperationRejected) || !MOVED_ON.has(error.code) || look >= LOOKS_MAX) throw error
    }
  }
}

/** Somebody else was faster: its worker, or another one who asked the same queue. */
const MOVED_ON: ReadonlySet<string> = new Set(['evidence_outdated', 'command_id_reused'])

/** An error that can't be stored as it is must not keep an operation open. */
async function sendStorable(
  send: (disposition: QueueVerdict['disposition']) => Promise<unknown>,
  disposition: QueueVerdict['disposition'],
): Promise<void> {
  try {
    await send(disposition)
  } catch (error) {
    const unstorable = error instanceof OperationRejected && UNSTORABLE.has(error.code)
    if (!unstorable || disposition.type !== 'fail' || disposition.error === undefined) throw error
    await send({ type: 'fail', error: bareErrorOf(disposition.error) })
  }
}

/** The queue gave up on the job: no attempt will follow. */
export function queueFailure(error: OperationError): QueueVerdict {
  return { witness: 'failed', reasonCode: 'run.queue_failure_bridge', disposition: { type: 'fail', error } }
}

/** The queue gave up on the job's worker and takes the job back: whoever is handed it next needs an attempt of its own. */
export function workerGone(now: number): QueueVerdict {
  return {
    witness: 'waiting',
    reasonCode: 'run.infrastructure_timeout_or_abandonment',
    disposition: { type: 'retry', notBeforeAt: now },
  }
}
