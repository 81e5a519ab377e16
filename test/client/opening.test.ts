import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { openVerdict } from '../../src/app.ts'
import { SettingsError } from '../../src/config.ts'
import { freshFolder, opened, openedAt, thrownBy } from './support/opened-verdict.ts'

// Exactly what the types forbid, so they have to be told.
const wrong = (value: unknown) => value as never

describe('a log is not opened', () => {
  test.each([
    ['with a limit that is no number', { maxCompleted: wrong('many') }, 'limits.maxCompleted'],
    ['with a limit below zero', { maxConcurrent: -1 }, 'limits.maxConcurrent'],
    ['with a limit that there is not', wrong({ maxConcurent: 4 }), 'maxConcurent'],
    ['with a memory that contradicts itself', { commandMemory: { ms: 1, min: 2, max: 1 } }, 'limits.commandMemory'],
  ])('%s, and no file is made', async (_, limits, told) => {
    const location = path.join(freshFolder(), 'verdict.db')
    const error = await thrownBy(openVerdict(location, { limits }))
    expect(error).toBeInstanceOf(SettingsError)
    expect(String(error)).toContain(told)
    expect(existsSync(location)).toBe(false)
  })

  test.each([undefined, null, 5, '', ' '])('at %j, which is no place', async (location) => {
    expect(await thrownBy(openVerdict(wrong(location)))).toBeInstanceOf(SettingsError)
  })
})

describe('options of openVerdict', () => {
  const told = async (options: unknown) => {
    const error = await thrownBy(openVerdict('memory:', wrong(options)))
    expect(error).toBeInstanceOf(SettingsError)
    return (error as SettingsError).message
  }

  test.each([
    [null, 'options: expected an object, got null'],
    [[], 'options: expected an object, got a list'],
    ['memory:', 'options: expected an object, got memory:'],
    [{ settings: null }, 'settings: expected an object, got null'],
    [{ kinds: null }, 'kinds: expected an object, got null'],
    [{ kinds: [] }, 'kinds: expected an object, got a list'],
    [{ limits: null }, 'limits: expected an object, got null'],
    [{ worker: null }, 'worker: expected an object, got null'],
    [{ kinds: { a: null } }, 'kind "a": definition: expected an object, got null'],
  ])('%j are refused with a sentence', async (options, sentence) => {
    expect(await told(options)).toBe(sentence)
  })

  test.each([
    [{ actr: 'me' }, /^there is no option "actr": it is one of workspace, .*actor/],
    [{ settings: { lockWait: 5 } }, /^there is no setting "lockWait": it is one of .*lockWaitMs/],
    [{ settings: { commandsPerBatchMax: 5 } }, /^there is no setting "commandsPerBatchMax"/],
    [{ kinds: { a: { polices: {} } } }, /^kind "a": polices: expected one of policy, bounds, phases/],
    [{ kinds: { a: { policy: { staleAftr: '5m' } } } }, /^kind "a": policy.staleAftr: /],
    [{ kinds: { a: { bounds: { staleAftr: { max: '5m' } } } } }, /^kind "a": bounds.staleAftr: expected one of /],
    [{ kinds: { a: { bounds: { staleAfter: { most: '5m' } } } } }, /^kind "a": bounds.staleAfter.most: /],
  ])('%j, which are none, are refused by name', async (options, sentence) => {
    expect(await told(options)).toMatch(sentence)
  })
})

test('limits that are named and not given are the defaults', async () => {
  const location = path.join(freshFolder(), 'verdict.db')
  const first = await openedAt(location, { limits: wrong({ maxCompleted: undefined, maxConcurrent: 4 }) })
  await first.register('k', { id: 'a' })
  await first.close()
  const second = await openedAt(location)
  expect((await second.owner('default').overview()).limits).toMatchObject({ maxCompleted: 256, maxConcurrent: 4 })
})

test('a retired owner is said before a policy that contradicts itself', async () => {
  const verdict = await opened()
  await verdict.owner('default').retire('gone')
  const asked = verdict.register('k', { policy: { staleAfter: '10s', heartbeatInterval: '9s' } })
  expect(await thrownBy(asked)).toMatchObject({ code: 'owner_retired' })
})
