import { describe, expect, test } from 'vitest'
import type { LifecycleEvent } from '../../src/authority/events.ts'
import type { HistoryEntry } from '../../src/authority/questions.ts'
import {
  birthIn,
  claimantIdOf,
  type JobStart,
  jobOf,
  operationIdOf,
  registrationCommandIdOf,
  startIn,
} from '../../src/client/queue-job.ts'
import { isAboutEnded, type JobStory, storyOf } from '../../src/client/queue-story.ts'

const UUID = '0198c1de-6f3a-7c52-9d0e-0123456789ab'

describe('the operation of a job', () => {
  test.each([
    [UUID, 1, UUID],
    [UUID, 3, `${UUID}~3`],
    ['17', 1, 'export/17@1700'],
    ['17', 2, 'export/17@1700~2'],
    ['a@b~2', 1, 'export/a@b~2@1700'],
    ['a@b@12~2', 12, 'export/a@b@12~2@1700~12'],
  ])('%s in life %d is %s, and leads back to the job', (jobId, life, id) => {
    expect(operationIdOf({ queue: 'export', jobId, addedAt: 1700 }, life)).toBe(id)
    expect(jobOf('export', id)).toEqual(jobId === UUID ? { jobId } : { jobId, addedAt: 1700 })
  })

  test.each([
    'import/17@1700',
    'export/17',
    'export/@1700',
    'order-2026',
    `${UUID}~`,
    `${UUID}x`,
    `export/17@${'9'.repeat(16)}`,
  ])('%s is of no job of this queue', (id) => {
    expect(jobOf('export', id)).toBeUndefined()
  })

  test('its registration tells when its life began, in a command id that fits', () => {
    const job = { queue: 'q'.repeat(500), jobId: 'j'.repeat(500), addedAt: 1_700_000_000_000 }
    const commandId = registrationCommandIdOf(job, 7, 3)
    expect(commandId.length).toBeLessThanOrEqual(128)
    expect(birthIn(commandId)).toEqual({ addedAt: job.addedAt, ended: 3 })
    expect(registrationCommandIdOf({ ...job, jobId: 'other' }, 7, 3)).not.toBe(commandId)
    expect(birthIn('somebody-else')).toBeUndefined()
  })

  test('its claimant tells which start of the job it is', () => {
    const start = startOf({ started: 4, ended: 2 })
    expect(startIn(claimantIdOf(start))).toEqual({ addedAt: 1700, started: 4, ended: 2 })
    expect(startIn('worker-7')).toBeUndefined()
    expect(startIn(undefined)).toBeUndefined()
  })
})

describe('a start of a job whose operation has ended', () => {
  const born = { addedAt: 1700, ended: 0 }
  const claim = { addedAt: 1700, started: 1, ended: 0, attempt: 1 }
  test.each<[string, JobStory, Partial<JobStart>, boolean]>([
    ['it was never started', { birth: born, claim: undefined, attempt: 1 }, { started: 1, ended: 0 }, true],
    [
      'the job failed without it, and runs again',
      { birth: born, claim: undefined, attempt: 1 },
      { started: 2, ended: 1 },
      false,
    ],
    ['its worker died before it told the queue', { birth: born, claim, attempt: 1 }, { started: 2, ended: 0 }, true],
    ['the job finished with it, and runs again', { birth: born, claim, attempt: 1 }, { started: 2, ended: 1 }, false],
    ['it ended between two attempts', { birth: born, claim, attempt: 2 }, { started: 2, ended: 1 }, true],
    ['its job was told so, and runs again', { birth: born, claim, attempt: 2 }, { started: 3, ended: 2 }, false],
    ['its lost attempt was not counted', { birth: born, claim, attempt: 2 }, { started: 2, ended: 0 }, true],
    ['the job was added again', { birth: born, claim, attempt: 1 }, { started: 1, ended: 0, addedAt: 1800 }, false],
    ['the counts of the job were set back', { birth: born, claim, attempt: 1 }, { started: 1, ended: 0 }, false],
    ['no bridge registered it', { birth: undefined, claim: undefined, attempt: 1 }, { started: 9, ended: 9 }, true],
  ])('%s', (_what, story, start, isAbout) => {
    expect(isAboutEnded(story, startOf(start))).toBe(isAbout)
  })

  test('its story is read from the log', () => {
    const commandId = registrationCommandIdOf(startOf({}), 1, 0)
    const events = [
      { type: 'OperationRegistered', facts: {}, content: {} },
      { type: 'OperationStarted', facts: { attempt: 1, claimant: { id: 'job-start:1700:1:0' } }, content: {} },
      { type: 'AttemptFailed', facts: { attempt: 1 }, content: {} },
    ]
    // Only what a story is read from.
    const history = events.map((event) => ({
      event: event as LifecycleEvent,
      metadata: { commandId },
    })) as HistoryEntry[]
    const last = { addedAt: 1700, started: 1, ended: 0, attempt: 1 }
    expect(storyOf(history)).toEqual({ birth: { addedAt: 1700, ended: 0 }, claim: last, attempt: 2 })
    expect(storyOf([])).toEqual({ birth: undefined, claim: undefined, attempt: 1 })
  })
})

function startOf(start: Partial<JobStart>): JobStart {
  return { queue: 'export', jobId: '17', addedAt: 1700, kind: 'export', attempts: 3, started: 1, ended: 0, ...start }
}
