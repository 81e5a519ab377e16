import { expect, test } from 'vitest'
import { DeniedActions } from '../../src/http/denied-actions.ts'
import { HandMovedClock } from '../../src/runtime/hand-moved-clock.ts'
import type { DeniedAction } from '../../src/shell/admin-record.ts'

function opened() {
  const clock = new HandMovedClock()
  const recorded: DeniedAction[] = []
  const denials = new DeniedActions({
    clock,
    warn: () => {},
    record: async (denied) => void recorded.push(denied),
  })
  return { clock, recorded, denials }
}

const DENIAL = { actor: 'a', action: 'terminateOwner', right: 'operate', workspace: 'w', path: '/' } as const

test('whatever one caller tries, and however many callers try, the events of a minute are bounded, and every attempt counted', async () => {
  const { clock, recorded, denials } = opened()
  for (let round = 0; round < 3; round++) {
    for (let actor = 0; actor < 100; actor++) {
      for (let action = 0; action < 50; action++) denials.note({ ...DENIAL, actor: `${actor}`, action: `${action}` })
    }
    await clock.advance(60_000)
  }
  await denials.end()
  const firstMinute = recorded.filter(({ fromAt }) => fromAt === recorded[0]?.fromAt)
  // Each at once and once more at the end of the minute; one place more for all that is beyond.
  expect(firstMinute.length).toBeLessThanOrEqual(2 * (256 + 1))
  expect(recorded.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(3 * 100 * 50)
  expect(new Set(recorded.filter(({ actor }) => actor === '0').map(({ action }) => action)).size).toBe(17)
  expect(recorded).toContainEqual(expect.objectContaining({ actor: '*', action: '*' }))
})

test('a text of a caller is cut, and what takes no operator is not noted', async () => {
  const { recorded, denials } = opened()
  denials.note({ ...DENIAL, workspace: 'w'.repeat(10_000), path: 'p'.repeat(10_000) })
  denials.note({ ...DENIAL, right: 'work' })
  denials.note({ ...DENIAL, right: 'read' })
  await denials.end()
  expect(recorded.map(({ workspace, path }) => [workspace.length, path.length])).toEqual([[256, 256]])
})

test('a record that fails is warned of, and nothing else happens', async () => {
  const warnings: string[] = []
  const denials = new DeniedActions({
    clock: new HandMovedClock(),
    warn: (_facts, message) => warnings.push(message),
    record: () => Promise.reject(new Error('the log is away')),
  })
  denials.note(DENIAL)
  await denials.end()
  expect(warnings).toEqual(['a denied action could not be put on record'])
})
