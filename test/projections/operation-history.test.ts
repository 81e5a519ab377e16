import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OPERATION_HISTORY, storyAsked } from '../../projections/operation-history.ts'
import { livesTouchedBy } from '../../src/authority/operation-life.ts'
import { historyOf, limits, wishes } from '../authority/support/random-history.ts'
import { followed, projected } from './support/followed.ts'
import { registered } from './support/tally.ts'

const STREAM = 'registry-default/a'

describe('the story of an operation', () => {
  test('D8: names every event of its life but the signs, in order, in any history', () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), fc.integer({ min: 1, max: 9 }), (given, sent, seed, batch) => {
        const { history } = historyOf(given, sent, seed)
        using file = followed(OPERATION_HISTORY, { batch })
        file.project(projected(history))
        const stories = Map.groupBy(
          history
            .filter(({ event }) => event.type !== 'SignsOfLifeRecorded')
            .flatMap((one) => livesTouchedBy(one).map((number) => ({ number, revision: one.revision }))),
          ({ number }) => number,
        )
        for (const [number, story] of stories) {
          const revisions = story.map(({ revision }) => revision)
          expect(file.ask((session) => storyAsked(session, { stream: STREAM, number }))).toEqual(revisions)
        }
      }),
      { numRuns: 40 },
    )
  })

  test('is given page by page, however long it is', () => {
    using file = followed(OPERATION_HISTORY)
    const reports = Array.from({ length: 2_500 }, (_, i) => ({
      ...registered(i + 2, 'k', STREAM, i + 1),
      event: { type: 'ProgressReported', facts: { id: 'id-1', number: 0, reports: 1 }, content: {} } as const,
    }))
    file.project([registered(1, 'k', STREAM, 0), ...reports])
    const pages: (readonly number[])[] = []
    for (let after: number | undefined; pages.at(-1)?.length !== 0; after = pages.at(-1)?.at(-1)) {
      pages.push(file.ask((session) => storyAsked(session, { stream: STREAM, number: 0, after })))
    }
    expect(pages.map((page) => page.length)).toEqual([1_000, 1_000, 501, 0])
    expect(pages.flat()).toEqual(Array.from({ length: 2_501 }, (_, i) => i))
  })

  test('is empty for an operation that is not known', () => {
    using file = followed(OPERATION_HISTORY)
    expect(file.ask((session) => storyAsked(session, { stream: STREAM, number: 7 }))).toEqual([])
  })

  test.each([0, 1_001, 1.5])('is refused in pages of %s', (limit) => {
    using file = followed(OPERATION_HISTORY)
    expect(() => file.ask((session) => storyAsked(session, { stream: STREAM, number: 0, limit }))).toThrow(
      `a page of a story has 1 to 1000 events, got ${limit}`,
    )
  })
})
