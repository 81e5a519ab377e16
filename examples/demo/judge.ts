/**
 * Speaks for workers that can't any more: whoever gave no sign of life for too long is given up, with the evidence; where its
 * policy allows another attempt, there is one. The authority has the last word: a heartbeat in between wins.
 */
import { type ListedOperation, OperationRejected, type Verdict } from '../../src/index.ts'

/** The operations that may be begun again. */
export async function judgeStale(
  verdict: Verdict,
  owner: string,
  graceMs: number,
  maxAttemptsOf: (id: string) => number,
) {
  const again: string[] = []
  for (const operation of await verdict.operations.list({ owner, attention: true })) {
    if (operation.judgement.rule !== 'sign' && operation.judgement.rule !== 'first_sign') continue
    if (Date.now() < (operation.judgement.deadlineAt ?? 0) + graceMs) continue
    if (await giveUp(verdict, operation, graceMs, maxAttemptsOf(operation.id))) again.push(operation.id)
  }
  return again
}

/** Whether it waits for another attempt now. */
async function giveUp(
  verdict: Verdict,
  operation: ListedOperation,
  graceMs: number,
  maxAttempts: number,
): Promise<boolean> {
  const { id, owner, attempt, judgement, status } = operation
  const handle = verdict.operation({ id, owner })
  const isRetried = status === 'running' && attempt < maxAttempts
  const history = await handle.history()
  const { rule, deadlineAt, lastSignAt } = judgement
  const evidence = {
    rule: rule ?? ('sign' as const),
    attempt,
    lastRevision: history.at(-1)?.revision ?? operation.number,
    judgedAt: Date.now(),
    graceMs,
    ...(deadlineAt === undefined ? {} : { deadlineAt }),
    ...(lastSignAt === undefined ? {} : { lastSignAt }),
  }
  const disposition = isRetried ? ({ type: 'retry', notBeforeAt: Date.now() } as const) : ({ type: 'fail' } as const)
  try {
    await handle.reconcile({ evidence, reasonCode: 'run.stale_running', disposition })
    return isRetried
  } catch (error) {
    if (error instanceof OperationRejected && error.code === 'evidence_outdated') return false
    throw error
  }
}
