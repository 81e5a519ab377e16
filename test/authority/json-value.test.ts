import { describe, expect, test } from 'vitest'
import { copyJson } from '../../src/authority/json-value.ts'

const BOUNDS = { depthMax: 3, valuesMax: 6 }
const fault = (value: unknown, bounds = BOUNDS) => {
  const copied = copyJson(value, bounds)
  return 'fault' in copied ? copied.fault : 'none'
}

describe('a value that JSON carries', () => {
  test.each([
    [null],
    [true],
    [''],
    [0],
    [2 ** 53 - 1],
    [-1.5e-7],
    [{ a: [1, { b: 'c' }] }],
    [[[], {}]],
    [[1, 2, 3, 4, 5]],
    [Object.assign(Object.create(null), { a: 1 })],
  ])('comes back as it was given: %j', (value) => {
    const copied = copyJson(value, BOUNDS)
    expect(copied).toEqual({ value })
    if (typeof value === 'object' && value !== null) expect('value' in copied && copied.value === value).toBe(false)
  })

  test('is what JSON makes of it: no member that is undefined, no zero below zero', () => {
    expect(copyJson({ a: undefined, b: -0 }, BOUNDS)).toStrictEqual({ value: { b: 0 } })
    expect(Object.is((copyJson(-0, BOUNDS) as { value: number }).value, 0)).toBe(true)
  })
})

describe('what JSON would change or not carry', () => {
  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  const throwing = {
    get a() {
      throw new Error('no')
    },
  }
  test.each([
    ['undefined in a list', [1, undefined], 'invalid_command', [1], 'a JSON value', 'undefined'],
    ['a function', { a: () => 1 }, 'invalid_command', ['a'], 'a JSON value', 'function'],
    ['a bigint', 1n, 'invalid_command', [], 'a JSON value', 'bigint'],
    ['NaN', { a: [Number.NaN] }, 'invalid_command', ['a', 0], 'a finite number', 'NaN'],
    [
      'a number that JavaScript rounds',
      2 ** 53,
      'unsafe_number',
      [],
      'an integer within ±(2^53 - 1), or a string',
      '9007199254740992',
    ],
    ['a date', { at: new Date(0) }, 'invalid_command', ['at'], 'a plain JSON object', 'Date'],
    ['a map', new Map(), 'invalid_command', [], 'a plain JSON object', 'Map'],
    ['a symbol for a name', { [Symbol('s')]: 1 }, 'invalid_command', [], 'names that are text', 'Symbol(s)'],
    [
      '__proto__ for a name',
      JSON.parse('{"a":{"__proto__":1}}'),
      'invalid_command',
      ['a'],
      'no member __proto__',
      'one',
    ],
    ['what has no end', cyclic, 'invalid_command', [0, 0, 0], 'at most 3 levels, without a cycle', 'more'],
    ['what lies too deep', [[[[]]]], 'invalid_command', [0, 0, 0], 'at most 3 levels, without a cycle', 'more'],
    ['too many values', [1, 2, 3, [4, 5]], 'content_too_large', [3, 1], 'at most 6 values', 'more'],
    [
      'a list that is too long, before any of it is read',
      Array(7),
      'content_too_large',
      [],
      'at most 6 values',
      'more',
    ],
    ['what throws when it is read', throwing, 'invalid_command', [], 'a plain JSON value', 'one that throws when read'],
  ])('is refused by name: %s', (_what, value, code, path, expected, got) => {
    expect(fault(value)).toStrictEqual({ code, path, expected, got })
  })

  test('is so from the very bound on', () => {
    expect(fault([[[]]])).toBe('none')
    expect(fault([1, 2, 3, [4]])).toBe('none')
    expect(fault(Array(6).fill(1))).toMatchObject({ path: [5], code: 'content_too_large' })
    expect(fault([{ a: 1 }, { b: 2 }])).toBe('none')
  })
})
