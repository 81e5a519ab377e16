import { describe, expect, test } from 'vitest'
import { headerOfText, textOfHeader } from '../../src/wire/header-text.ts'

describe('a text in a header', () => {
  test.each([
    ['plain', 'plain'],
    ['a:b/c?d=e&f', 'a:b/c?d=e&f'],
    ['50%', '50%'],
    ['%41', '%41'],
    ['two words', '%"two%20words"'],
    ['Ähre €', '%"%c3%84hre%20%e2%82%ac"'],
    ['"quoted"', '%"%22quoted%22"'],
    ['%"display"', '%"%25%22display%22"'],
    ['', '%""'],
    ['\n\u0000', '%"%0a%00"'],
  ])('%j is %s, and comes back as it was', (text, header) => {
    expect(headerOfText(text)).toBe(header)
    expect(textOfHeader(header)).toBe(text)
  })

  test('of others is taken in plain quotes as well, and as it is where its encoding is broken', () => {
    expect(['"key 1"', '%"%zz"', '%"%c3"', '"'].map(textOfHeader)).toEqual(['key 1', '%"%zz"', '%"%c3"', '"'])
  })

  test('that holds half a character is none, and never another one', () => {
    expect(textOfHeader(headerOfText('a\ud800'))).toBe('')
  })
})
