import { rmSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { handleEvents } from '../../src/app/event-handler-of-log.ts'
import { startServer } from '../support/eventstoredb-rig.ts'
import { atTheEnd, eventually, freshFolder, healthOf, openedNode, register, tallies } from './support/read-side-node.ts'

test('over EventStoreDB rows are followed, asked, built anew and checked, and another node follows on', async () => {
  const server = await startServer()
  const file = path.join(freshFolder(), 'views.db')
  const first = await openedNode(server.url, { readModels: { path: file } })
  for (let i = 1; i <= 5; i++)
    expect(await tallies(first, await register(first, 'a', `id-${i}`, 'k'))).toEqual({ k: i })
  expect(
    (
      await eventually(
        () => healthOf(first),
        ({ lag }) => lag?.events === 0,
      )
    ).status,
  ).toBe('following')
  expect(await first.readSide.rebuild(['tally', 'operation-index'])).toMatchObject({
    projections: ['tally', 'operation-index'],
    events: 6,
  })
  for (const name of ['tally', 'operation-index']) {
    expect(await first.readSide.check(name, undefined)).toMatchObject({ differences: [] })
  }
  const position = await register(first, 'b', 'x', 'other')
  expect(await tallies(first, position)).toEqual({ k: 5, other: 1 })
  await first.door.close()

  const second = await openedNode(server.url, { readModels: { path: file } })
  expect(await tallies(second, await register(second, 'a', 'id-6', 'k'))).toEqual({ k: 6, other: 1 })
  await second.door.close()

  // The file may be deleted at any time.
  rmSync(file)
  const third = await openedNode(server.url, { readModels: { path: file } })
  expect(await tallies(third, position)).toEqual({ k: 6, other: 1 })
})

test('over EventStoreDB rows see what another node wrote, at the position of its answer', async () => {
  const server = await startServer()
  const [one, two] = [await openedNode(server.url), await openedNode(server.url)]
  for (let i = 1; i <= 5; i++) expect(await tallies(two, await register(one, 'a', `id-${i}`, 'k'))).toEqual({ k: i })
})

test('a handler of events reads EventStoreDB by its address, and goes on behind its checkpoint', async () => {
  const server = await startServer()
  const node = await openedNode(server.url)
  await register(node, 'a', 'x', 'k')
  let kept: Parameters<NonNullable<Parameters<typeof handleEvents>[1]['checkpoints']['save']>>[0] | undefined
  const handled: string[] = []
  const handling = (until: number) => {
    const leaving = new AbortController()
    atTheEnd(() => leaving.abort())
    return handleEvents(server.url, {
      name: 'mailer',
      signal: leaving.signal,
      checkpoints: {
        load: () => kept,
        save: (checkpoint) => {
          kept = checkpoint
        },
      },
      handle({ events }) {
        for (const { event, owner } of events) handled.push(`${owner} ${event.type}`)
        if (handled.length >= until) leaving.abort()
      },
    })
  }
  await handling(2)
  await register(node, 'b', 'y', 'k')
  await handling(4)
  expect(handled).toEqual(['a RegistryOpened', 'a OperationRegistered', 'b RegistryOpened', 'b OperationRegistered'])
})
