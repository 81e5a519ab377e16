/** What nobody sends who means well: names, texts, numbers and whole values that break what was not made for them. */
import fc from 'fast-check'

const WORDS = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\n',
  '\r\n',
  '\u001b[31m',
  '\u2028',
  '\ufeff',
  '\ufffd',
  '\ufffe',
  '\ud800',
  'x\udfff',
  '\u{10ffff}',
  'a\u{10ffff}\u{10ffff}',
  '\u{1f680}',
  'İstanbul',
  'ß',
  'ΟΔΟΣ',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'length',
  '%',
  '_',
  'a%',
  '[a-z]*',
  "'",
  "' OR 1=1 --",
  '"; DROP TABLE operations; --',
  '\\',
  '..',
  '../../etc/passwd',
  '%2e%2e%2f',
  '%00',
  '%zz',
  '/',
  ':',
  ':cancel',
  '?',
  '#',
  '&',
  '=',
  ',',
  '*',
  'null',
  'undefined',
  'NaN',
  '-1',
  '0',
  '1e400',
  '9007199254740993',
  '9999999999999999999',
  '18446744073709551616',
  'true',
  '{}',
  '[]',
  '"',
  ',"content":{"salt":"',
  '$(id)',
  '<script>alert(1)</script>',
  'default',
] as const

const NUMBERS = [
  '0',
  '-0',
  '-1',
  '0.5',
  '1.0',
  '1e0',
  '1e400',
  '-1e400',
  '5e-324',
  '1e21',
  '2147483648',
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '99999999999999999999999999',
] as const

/** Of so many, one is long: lengths break what shorter texts leave whole. */
const LONG_LENGTHS = [127, 128, 129, 255, 256, 1_023, 1_024, 4_096, 65_537] as const

export const hostileWord: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('a', 'é', '\u{1f680}', '%', '\\', '0'), fc.constantFrom(...LONG_LENGTHS))
      .map(([unit, length]) => unit.repeat(length)),
  },
)

/** As JSON has them, or nearly. */
export const hostileNumber: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...NUMBERS),
  fc.integer().map(String),
  fc.double().map(String),
)

/** Values of any shape. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  hostileWord,
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, 2 ** 53, 1e308, [], {}, [[]], [null], { '': '' }),
  fc.constantFrom(...NUMBERS).map(Number),
  fc.jsonValue({ maxDepth: 3 }),
  // An own member of that name, as JSON.parse makes it.
  fc
    .constantFrom('{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":{"polluted":true}}}')
    .map((text) => JSON.parse(text)),
)

/** Must be so after whatever was parsed. */
export function isPolluted(): boolean {
  return 'polluted' in {} || 'polluted' in []
}
