/**
 * The story that began it all: a run was left in running, its worker gone, nothing ever said that it had ended. Lists showed
 * it as active for weeks, and a new one could not be started.
 */
import { expect, test, vi } from 'vitest'
import { EmbeddedVerdict } from '../../src/app/embedded-verdict.ts'
import { refusalOf } from '../client/support/opened-verdict.ts'
import { openRig, testLog } from './support/rig.ts'

test('run 126, left in running by a worker that is gone, fails with its reason, is never active again, and its late word is on record', async () => {
  const kinds = { sync: { policy: { staleAfter: '5m', lateAfter: '150s', heartbeatInterval: '60s' } } }
  const rig = await openRig({ kinds }, testLog())
  rig.node.reconciler.start()
  const { clock } = rig
  const verdict = new EmbeddedVerdict(rig.node)
  const { lease } = await verdict.start('sync', { id: 'run-126', key: 'nightly', name: 'nightly sync' })
  await lease?.progress({ message: 'page 3 of 70', processed: 3, total: 70 })
  const lastSignAt = clock.now()
  const handle = verdict.operation('run-126')
  const watched = handle.outcome()

  // Its worker is gone: no heartbeat, no completion, no failure. Until the threshold everybody sees it run.
  await rig.advance(250_000)
  expect(await handle.snapshot()).toMatchObject({
    status: 'running',
    judgement: { freshness: 'late', rule: 'sign', lastSignAt },
    explanation: 'No heartbeat for 4 min 10 s; this kind is reconciled after 6 min 15 s, in 2 min 5 s.',
  })
  await rig.advance(124_999)
  expect((await handle.snapshot())?.status).toBe('running')

  // The threshold: five quarters of five minutes after the last recorded sign. Nobody asks for it.
  await rig.advance(1)
  expect(await watched).toMatchObject({
    status: 'failed',
    reasonCode: 'run.stale_running',
    error: {
      code: 'run.stale_running',
      message: 'The worker of this operation gave no sign of life for longer than its kind allows.',
    },
    reconciliation: {
      evidence: { rule: 'sign', attempt: 1, lastSignAt, deadlineAt: lastSignAt + 375_000, graceMs: 0 },
    },
  })
  const after = await handle.snapshot()
  expect(after).toMatchObject({
    status: 'failed',
    resultClass: 'failed',
    problemClass: 'terminal_follow_up',
    judgement: { freshness: 'reconciled' },
    explanation:
      'It did not speak for itself, and was ended. The worker of this operation gave no sign of life for longer than its kind allows.',
  })
  expect(after?.completedAt).toBe(lastSignAt + 375_000)

  // Never shown as active again, and its key is free.
  expect(await verdict.operations.count({ resultClasses: ['running'] })).toMatchObject({ count: 0 })
  const next = await verdict.start('sync', { id: 'run-127', key: 'nightly' })
  expect(next.joined).not.toBe(true)

  // The worker comes back from wherever it was: it is told the truth, and what it says is on record.
  const late = await refusalOf(lease?.complete({ pages: 70 }) ?? Promise.resolve())
  expect(late).toMatchObject({
    code: 'already_terminal',
    facts: { currentStatus: 'failed', outcome: { status: 'failed', reasonCode: 'run.stale_running' } },
  })
  await vi.waitFor(async () => expect((await handle.snapshot())?.contradictions).toBe(1), { timeout: 10_000 })
  const history = await handle.history()
  expect(history.map(({ event }) => event.type)).toEqual([
    'OperationRegistered',
    'OperationStarted',
    'ProgressReported',
    'OperationFailed',
    'ContradictionRecorded',
  ])
  expect(history.at(-1)?.event).toMatchObject({ facts: { claimed: 'completed' }, content: { result: { pages: 70 } } })
  expect(history[3]?.metadata).toMatchObject({ actor: 'reconciler', commandType: 'ReconcileOperation' })
  expect(await handle.snapshot()).toMatchObject({
    status: 'failed',
    contradictions: 1,
    problemClass: 'terminal_follow_up',
  })

  // And nothing more is ever done about it.
  await rig.advance(3_600_000)
  expect(await verdict.reconcile({ kinds: ['sync'], owners: ['default'] })).toMatchObject({ reconciled: 0 })
  expect(await handle.history()).toHaveLength(5)
})
