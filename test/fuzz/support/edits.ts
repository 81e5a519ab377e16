/**
 * Mutations of texts that were valid: what a broken disk, a broken client or somebody who means harm makes of them. An edit is a
 * value, so that a failing input is made smaller by leaving edits out.
 */
import fc from 'fast-check'
import { hostileNumber, hostileWord } from './hostile-values.ts'

type Edit = (text: string) => string

/** Where in a text, whatever its length: a fraction of it. */
const place = fc.nat({ max: 0xffff })
const at = (text: string, fraction: number) => Math.floor((fraction / 0x10000) * (text.length + 1))
const piece = fc.integer({ min: 1, max: 40 })

const flip = fc.tuple(place, fc.nat({ max: 7 })).map(
  ([where, bit]): Edit =>
    (text) => {
      if (text === '') return text
      const i = Math.min(at(text, where), text.length - 1)
      return `${text.slice(0, i)}${String.fromCharCode(text.charCodeAt(i) ^ (1 << bit))}${text.slice(i + 1)}`
    },
)

const cut = fc.tuple(place, piece).map(
  ([where, length]): Edit =>
    (text) => {
      const i = at(text, where)
      return text.slice(0, i) + text.slice(i + length)
    },
)

const truncate = place.map(
  (where): Edit =>
    (text) =>
      text.slice(0, at(text, where)),
)

const duplicate = fc.tuple(place, piece).map(
  ([where, length]): Edit =>
    (text) => {
      const i = at(text, where)
      return text.slice(0, i + length) + text.slice(i)
    },
)

/** A piece of it somewhere else in it. */
const splice = fc.tuple(place, piece, place).map(
  ([from, length, to]): Edit =>
    (text) => {
      const i = at(text, from)
      const j = at(text, to)
      return text.slice(0, j) + text.slice(i, i + length) + text.slice(j)
    },
)

const insert = fc.tuple(place, hostileWord).map(
  ([where, word]): Edit =>
    (text) => {
      const i = at(text, where)
      return text.slice(0, i) + word + text.slice(i)
    },
)

const ANYWHERE = [flip, cut, truncate, duplicate, splice, insert] as const

/** Only of JSON: what stays JSON, or nearly. */
const otherNumber = fc.tuple(place, hostileNumber).map(([which, number]) => replacing(NUMBER, which, () => number))
const otherString = fc
  .tuple(place, hostileWord)
  .map(([which, word]) => replacing(STRING, which, () => JSON.stringify(word)))
const otherValue = fc
  .tuple(place, fc.constantFrom('null', 'true', '[]', '{}', '""', '0', '[null]', '{"":0}'))
  .map(([which, value]) => replacing(VALUE, which, () => value))
const nested = fc
  .tuple(place, fc.constantFrom(1, 2, 63, 64, 65, 513, 3_000, 20_000), fc.boolean())
  .map(([which, levels, inList]) =>
    replacing(VALUE, which, (value) =>
      inList ? '['.repeat(levels) + value + ']'.repeat(levels) : '{"a":'.repeat(levels) + value + '}'.repeat(levels),
    ),
  )
const member = fc
  .tuple(
    place,
    fc.constantFrom('__proto__', 'constructor', 'toString', 'x', '', 'type', 'id', '0'),
    fc.constantFrom('1', '{}', 'null', '{"x":1}'),
  )
  .map(([which, name, value]) => replacing(OPEN, which, (open) => `${open}${JSON.stringify(name)}:${value},`))
/** The same name twice, with the same value or another one. */
const memberTwice = fc
  .tuple(place, fc.option(hostileWord, { nil: undefined }))
  .map(([which, word]) =>
    replacing(MEMBER, which, (text) =>
      word === undefined
        ? `${text},${text}`
        : `${text.slice(0, text.indexOf('":') + 2)}${JSON.stringify(word)},${text}`,
    ),
  )
/** The same JSON, written another way. */
const spaced = fc
  .tuple(place, fc.constantFrom(' ', '\n', '\t', '\r'))
  .map(([which, space]) => replacing(STRUCTURE, which, (sign) => sign + space))
const escaped = place.map((which) =>
  replacing(LETTER, which, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`),
)

const STRING = /"(?:[^"\\]|\\.)*"/g
const NUMBER = /(?<=[:,[])-?\d[\d.eE+-]*/g
const VALUE = /(?<=[:,[])(?:"(?:[^"\\]|\\.)*"(?!:)|-?\d[\d.eE+-]*|true|false|null|\{\}|\[\])/g
const OPEN = /\{(?=")/g
const MEMBER = /"(?:[^"\\]|\\.)*":(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null)/g
const STRUCTURE = /[{}[\],:]/g
const LETTER = /(?<=[a-z])[a-z](?=[a-z]*")/g

const IN_JSON = [otherNumber, otherString, otherValue, nested, member, memberTwice, spaced, escaped] as const

/** The n-th of what a pattern finds, where n is a fraction of how many there are. */
function replacing(pattern: RegExp, which: number, by: (found: string) => string): Edit {
  return (text) => {
    const found = [...text.matchAll(pattern)]
    const match = found[Math.floor((which / 0x10000) * found.length)]
    if (match === undefined) return text
    return text.slice(0, match.index) + by(match[0]) + text.slice(match.index + match[0].length)
  }
}

const textEdit: fc.Arbitrary<Edit> = fc.oneof(...ANYWHERE)
const jsonEdit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 2, arbitrary: textEdit },
  { weight: 3, arbitrary: fc.oneof(...IN_JSON) },
)

/** Mostly mutated, now and then as they are: what is valid must be taken. */
export function edited(texts: fc.Arbitrary<string>, of: 'text' | 'json' = 'text'): fc.Arbitrary<string> {
  const edits = fc.array(of === 'json' ? jsonEdit : textEdit, { maxLength: 3 })
  return fc.tuple(texts, edits).map(([text, applied]) => applied.reduce((left, edit) => edit(left), text))
}

/** One change of exactly one byte. */
export const byteChange: fc.Arbitrary<(bytes: Buffer) => Buffer> = fc
  .tuple(place, fc.integer({ min: 1, max: 255 }), fc.constantFrom('change', 'remove', 'insert'))
  .map(([where, by, how]) => (bytes) => {
    const i = Math.floor((where / 0x10000) * bytes.length)
    const before = bytes.subarray(0, i)
    const behind = bytes.subarray(i + 1)
    if (how === 'remove') return Buffer.concat([before, behind])
    if (how === 'insert') return Buffer.concat([before, Buffer.from([by]), bytes.subarray(i)])
    return Buffer.concat([before, Buffer.from([(bytes[i] ?? 0) ^ by]), behind])
  })
