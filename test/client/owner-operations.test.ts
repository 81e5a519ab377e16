import { describe, expect, test } from 'vitest'
import { CompletionsDropped, OperationFailed } from '../../src/client/operation-errors.ts'
import type { Verdict } from '../../src/client/verdict.ts'
import { opened, refusalOf, STORES, thrownBy } from './support/opened-verdict.ts'

const completed = async (verdict: Verdict, ...ids: string[]) => {
  for (const id of ids) await verdict.execute('k', { id, owner: 'acme' }, () => id)
}

describe.each(STORES)('an owner, on %s', (store) => {
  test('is ended with all that is active, and the answer tells how many', async () => {
    const verdict = await opened(store)
    await completed(verdict, 'done')
    const handles = await Promise.all(['a', 'b'].map((id) => verdict.register('k', { id, owner: 'acme' })))
    const ends = handles.map((handle) => thrownBy(handle.result()))
    const acme = verdict.owner('acme')
    expect(await acme.terminate('contract ended')).toMatchObject({ changed: true, terminated: 2 })
    for (const end of await Promise.all(ends)) {
      expect(end).toBeInstanceOf(OperationFailed)
      expect(end).toMatchObject({ code: 'terminated', outcome: { status: 'terminated', reason: 'contract ended' } })
    }
    expect(await acme.terminate('contract ended')).toMatchObject({ changed: false })
    expect(new Map([...(await acme.list())].map(({ id, status }) => [id, status]))).toEqual(
      new Map([
        ['done', 'completed'],
        ['a', 'terminated'],
        ['b', 'terminated'],
      ]),
    )
  })

  test('that is retired takes nothing more, and is still read', async () => {
    const verdict = await opened(store)
    await completed(verdict, 'a')
    const acme = verdict.owner('acme')
    await acme.retire('left')
    expect(await refusalOf(verdict.register('k', { owner: 'acme' }))).toMatchObject({ code: 'owner_retired' })
    expect(await verdict.operation({ id: 'a', owner: 'acme' }).result()).toBe('a')
    expect(await acme.overview()).toMatchObject({ workspace: 'default', owner: 'acme', retired: true, retained: 1 })
  })

  test('hands out what was completed once, and the same again under the same command id', async () => {
    const verdict = await opened(store)
    await completed(verdict, 'a', 'b')
    const acme = verdict.owner('acme')
    expect((await acme.collect({ commandId: 'c' })).map(({ id }) => id)).toEqual(['a', 'b'])
    expect(await acme.collect()).toEqual([])
    expect((await acme.collect({ commandId: 'c' })).map(({ id }) => id)).toEqual(['a', 'b'])
  })

  test('has limits of its own from its opening on, and changes them', async () => {
    const verdict = await opened(store)
    const acme = verdict.owner('acme')
    await acme.open({ maxConcurrent: 0 })
    expect(await acme.open({ maxConcurrent: 0 })).toMatchObject({ changed: false })
    expect(await refusalOf(acme.open({ maxConcurrent: 5 }))).toMatchObject({ code: 'registry_already_open' })
    expect(await refusalOf(verdict.register('k', { owner: 'acme' }))).toMatchObject({ code: 'max_concurrent_exceeded' })
    await acme.changeLimits({ maxConcurrent: 1 })
    await verdict.register('k', { owner: 'acme' })
    expect((await acme.overview()).limits).toMatchObject({ maxConcurrent: 1 })
    await verdict.register('k', { owner: 'acme', maxConcurrent: 2 })
  })

  test('tells its completions in order, each once, and wakes who waits for the next', async () => {
    const verdict = await opened(store)
    await completed(verdict, 'a', 'b')
    const told: string[] = []
    const reading = (async () => {
      for await (const { id, sequence, status } of verdict.owner('acme').completions()) {
        told.push(`${sequence} ${id} ${status}`)
        if (sequence === 4) return
      }
    })()
    await completed(verdict, 'c', 'd')
    await reading
    expect(told).toEqual(['1 a completed', '2 b completed', '3 c completed', '4 d completed'])
  })
})

describe('the completions of an owner', () => {
  const ids = async (rows: AsyncIterable<{ readonly id: string }>) => {
    const found: string[] = []
    for await (const { id } of rows) found.push(id)
    return found
  }

  test('end with the newest one where nobody wants to follow', async () => {
    const verdict = await opened()
    await completed(verdict, 'a', 'b', 'c')
    const acme = verdict.owner('acme')
    expect(await ids(acme.completions({ follow: false }))).toEqual(['a', 'b', 'c'])
    expect(await ids(acme.completions({ follow: false, after: 2 }))).toEqual(['c'])
    expect(await ids(acme.completions({ follow: false, after: 3 }))).toEqual([])
  })

  test('that were dropped are a typed error, or told and skipped', async () => {
    const verdict = await opened('memory', { limits: { feedRetention: 2 } })
    await completed(verdict, 'a', 'b', 'c', 'd')
    const acme = verdict.owner('acme')
    const gap = { type: 'gap', requestedAfter: 0, droppedThrough: 2, watermark: 4 }
    const thrown = await thrownBy(ids(acme.completions({ follow: false })))
    expect(thrown).toBeInstanceOf(CompletionsDropped)
    expect(thrown).toMatchObject({ gap, message: 'completions 1 to 2 were dropped by retention; the newest is 4' })
    const gaps: unknown[] = []
    expect(await ids(acme.completions({ follow: false, onGap: (one) => gaps.push(one) }))).toEqual(['c', 'd'])
    expect(gaps).toEqual([gap])
  })

  test('stop with the reason of their signal, and are refused beyond the newest', async () => {
    const verdict = await opened()
    await completed(verdict, 'a')
    const acme = verdict.owner('acme')
    const stop = new AbortController()
    const reading = thrownBy(ids(acme.completions({ after: 1, signal: stop.signal })))
    stop.abort('enough')
    expect(await reading).toBe('enough')
    expect(await refusalOf(ids(acme.completions({ after: 7 })))).toMatchObject({ code: 'cursor_ahead' })
  })

  test('have named cursors that only move forward', async () => {
    const verdict = await opened()
    await completed(verdict, 'a', 'b')
    const acme = verdict.owner('acme')
    expect(await acme.cursor('mailer')).toBe(0)
    expect(await acme.moveCursor('mailer', 2)).toBe(2)
    expect(await acme.moveCursor('mailer', 1)).toBe(2)
    expect(await acme.cursor('mailer')).toBe(2)
    expect(await refusalOf(acme.moveCursor('mailer', 9))).toMatchObject({ code: 'cursor_ahead' })
  })
})

describe('operations', () => {
  test('knows workspaces and owners apart', async () => {
    const verdict = await opened('memory', { workspace: 'w', owner: 'o' })
    const handle = await verdict.register('k', { id: 'a' })
    expect([handle.workspace, handle.owner]).toEqual(['w', 'o'])
    expect(await verdict.operations.get({ id: 'a', owner: 'other' })).toBeUndefined()
    expect(await verdict.operations.get('a')).toMatchObject({ id: 'a', workspace: 'w', owner: 'o' })
    expect((await verdict.owner('o', { workspace: 'default' }).overview()).revision).toBe(-1)
  })
})
