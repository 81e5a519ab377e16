import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { freshSeed } from '../support/fresh-seed.ts'
import { needs } from '../support/needs.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { lookAtCopy } from './support/copied-log.ts'
import { crashPoint } from './support/crash-points.ts'
import { crashRound } from './support/crash-round.ts'
import { type Answer, Told } from './support/told.ts'
import { toldFaults } from './support/told-check.ts'

/** Every other point, and more of each: npm run crash. */
describe.skipIf(!needs('strace'))('a server that is killed while clients are at work', () => {
  test('told nobody an untruth, before the flush, before the answer and in a migration', {
    timeout: 600_000,
  }, async () => {
    const points = ['before-sync', 'before-answer', 'in-migration'].map((name) => ({
      ...crashPoint(name),
      countMax: 10,
    }))
    const random = seededRandom(freshSeed('VERDICT_CRASH_SEED'))
    const report = await crashRound({ folder: freshFolder(), points, random })
    expect(
      report.lives.flatMap(({ point, count, faults }) => faults.map((fault) => `${point} ${count}: ${fault}`)),
    ).toEqual([])
    expect(report.lives.map(({ point, wasReached }) => [point, wasReached])).toEqual(
      [...points.map(({ name }) => name), 'end'].map((name) => [name, true]),
    )
    // Nothing was found because something was looked at.
    for (const count of ['acknowledged', 'ended', 'endsTold', 'eventsTold', 'retried', 'readModelsCompared'] as const) {
      expect(report[count], count).toBeGreaterThan(0)
    }
  })
})

describe('what clients were told', () => {
  async function leftLog() {
    const folder = path.join(freshFolder(), 'data')
    mkdirSync(folder)
    const verdict = await openedAt(path.join(folder, 'verdict.db'), { readModels: { follow: 'at_start' } })
    const handle = await verdict.start('k', { id: 'a', owner: 'amber', commandId: 'one' }, async () => ({ by: 'a' }))
    await handle.outcome()
    await verdict.operations.list()
    await verdict.close()
    return folder
  }

  test('is held against the log: a word of it that is not so is found', async () => {
    const folder = await leftLog()
    const left = await lookAtCopy(folder, { heads: [], isCaughtUp: true })
    if (left === undefined) throw new Error('there is a log')
    expect(left.faults).toEqual([])
    const places = left.places.get('amber') ?? []
    const revision = left.stories.get('amber')?.commands.get('one')?.last ?? 0
    const [registered = 0n, position = 0n] = [places[0], places[revision]]
    const TRUE: Answer = { owner: 'amber', type: 'start', text: '{}', revision, position, changed: true }
    const all = [...left.types].map(([at, type]) => ({ position: at, type }))
    const faultsOf = (tell: (told: Told) => void, events = all) => {
      const told = new Told()
      told.answer('one', TRUE)
      told.ends.push({ owner: 'amber', id: 'a', ending: 'completed a', by: 'wait' })
      for (const event of events) told.event(event)
      tell(told)
      return toldFaults(told, left)
    }
    expect(faultsOf(() => {})).toEqual([])
    expect(faultsOf((told) => told.answer('two', TRUE)).length).toBe(1)
    expect(faultsOf((told) => told.answer('one', { ...TRUE, text: '{"changed":true}' })).length).toBe(1)
    expect(faultsOf((told) => told.answers.set('one', { ...TRUE, revision: 0, position: registered })).length).toBe(1)
    expect(faultsOf((told) => told.answers.set('one', { ...TRUE, position: registered })).length).toBe(1)
    expect(faultsOf((told) => told.refusal('one', 'not_found')).length).toBe(2)
    expect(faultsOf((told) => told.ends.push({ owner: 'amber', id: 'a', ending: 'failed a', by: 'SDK' })).length).toBe(
      1,
    )
    expect(faultsOf((told) => told.event({ position: 99n, type: 'registered' })).length).toBe(1)
    expect(faultsOf((told) => told.event({ position: registered, type: 'registered' })).length).toBe(1)
    // Who was told of less is not there yet; who was told of what comes behind has missed something.
    expect(faultsOf(() => {}, all.slice(0, -1))).toEqual([])
    expect(faultsOf(() => {}, [...all.slice(0, 1), ...all.slice(2)]).length).toBe(1)
  })

  test('is held against what was there before: a log that lost its end is found', async () => {
    const folder = await leftLog()
    const left = await lookAtCopy(folder, { heads: [], isCaughtUp: true })
    const beyond = (left?.heads ?? []).map((head) => ({ ...head, revision: head.revision + 1 }))
    expect((await lookAtCopy(folder, { heads: beyond, isCaughtUp: true }))?.faults.length).toBe(beyond.length)
    rmSync(path.join(folder, 'verdict.db-views'))
    expect((await lookAtCopy(folder, { heads: [], isCaughtUp: true }))?.faults).toEqual(['there are no read models'])
  })
})
