import { describe, expect, test } from 'vitest'
import { type StandingFacts, statusOf } from '../../src/subscriptions/projection-health.ts'

const FOLLOWED: StandingFacts = {
  stopped: undefined,
  isRebuilding: false,
  isServed: true,
  follower: 'this',
  lag: { events: 0, isMore: false, ms: 0 },
  stillMs: 60_000,
  laggingMs: 1_000,
  stalledMs: 5_000,
}
const behindBy = (ms: number) => ({ events: 7, isMore: false, ms })

describe('a projection is told', () => {
  test.each<[string, Partial<StandingFacts>, string]>([
    ['that is up to date, however long nothing came', {}, 'following'],
    ['that is behind for a moment', { lag: behindBy(999) }, 'following'],
    ['that is behind and moves', { lag: behindBy(9_000), stillMs: 10 }, 'lagging'],
    ['that is behind by the bound of lagging', { lag: behindBy(1_000), stillMs: 10 }, 'lagging'],
    ['that stood still before something came', { lag: behindBy(4_999) }, 'lagging'],
    ['that is behind and does not move', { lag: behindBy(5_000), stillMs: 5_000 }, 'stalled'],
    ['whose log does not answer', { lag: undefined }, 'stalled'],
    ['that another process follows', { follower: 'other' }, 'standby'],
    ['that another process follows, too slowly', { follower: 'other', lag: behindBy(2_000), stillMs: 1 }, 'lagging'],
    ['that another process should follow', { follower: 'other', lag: behindBy(9_000) }, 'stalled'],
    ['that nobody follows', { follower: 'nobody' }, 'stopped'],
    ['that must not go on', { stopped: 'why' }, 'stopped'],
    ['without rows', { isServed: false, lag: undefined }, 'stopped'],
    ['whose first rows are made', { isServed: false, lag: undefined, isRebuilding: true }, 'rebuilding'],
    ['that is rebuilt because it must not go on', { stopped: 'why', isRebuilding: true }, 'rebuilding'],
  ])('D5: %s', (_case, facts, status) => {
    expect(statusOf({ ...FOLLOWED, ...facts })).toBe(status)
  })
})
