import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ADMIN_STREAM, cursorsStream, registryOfStream, registryStream } from '../../src/event-store/stream-names.ts'

/** Names as the doors let them through: not empty, no lone surrogates. */
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).map((text) => text.toWellFormed())

describe('a registry’s stream', () => {
  const STORED: readonly [string, string, string][] = [
    ['default', 'alice', 'registry-default/alice'],
    ['default', 'Alice', 'registry-default/Alice'],
    ['a-b_c.d~e', 'AZaz09', 'registry-a-b_c.d~e/AZaz09'],
    ['team/red', 'a%2Fb', 'registry-team%2Fred/a%252Fb'],
    ['default', "!'()*", 'registry-default/%21%27%28%29%2A'],
    [
      'default',
      ':/?#[]@$&+,;= "\\<>^`{|}',
      'registry-default/%3A%2F%3F%23%5B%5D%40%24%26%2B%2C%3B%3D%20%22%5C%3C%3E%5E%60%7B%7C%7D',
    ],
    ['Zürich', '日本🚀', 'registry-Z%C3%BCrich/%E6%97%A5%E6%9C%AC%F0%9F%9A%80'],
    ['..', '\0\n\u2028', 'registry-../%00%0A%E2%80%A8'],
  ]
  test.each(STORED)('of workspace %j and owner %j is named %s for ever', (workspace, owner, stream) => {
    expect(registryStream({ workspace, owner })).toBe(stream)
    expect(registryOfStream(stream)).toEqual({ workspace, owner })
    expect(cursorsStream({ workspace, owner })).toBe(stream.replace('registry-', 'cursors-'))
  })

  test('tells its registry, whatever the names hold', () => {
    fc.assert(
      fc.property(name, name, (workspace, owner) => {
        expect(registryOfStream(registryStream({ workspace, owner }))).toEqual({ workspace, owner })
      }),
    )
  })

  test('holds nothing but unreserved characters, percent signs and the slash between its parts', () => {
    fc.assert(
      fc.property(name, name, (workspace, owner) => {
        expect(registryStream({ workspace, owner })).toMatch(
          /^registry-(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+\/(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+$/,
        )
      }),
    )
  })

  test('is another one for every other registry, upper and lower case told apart', () => {
    fc.assert(
      fc.property(name, name, name, name, (workspace, owner, otherWorkspace, otherOwner) => {
        const isSame = workspace === otherWorkspace && owner === otherOwner
        const stream = registryStream({ workspace, owner })
        expect(stream === registryStream({ workspace: otherWorkspace, owner: otherOwner })).toBe(isSame)
      }),
    )
    expect(registryStream({ workspace: 'default', owner: 'Bob' })).not.toBe(
      registryStream({ workspace: 'default', owner: 'bob' }),
    )
    expect(registryStream({ workspace: 'a/b', owner: 'c' })).not.toBe(registryStream({ workspace: 'a', owner: 'b/c' }))
  })
})

describe('no registry’s stream is', () => {
  const OTHERS: readonly [string, string][] = [
    ['the log’s own', ADMIN_STREAM],
    ['one of cursors', 'cursors-default/alice'],
    ['a prefix alone', 'registry-'],
    ['one without an owner', 'registry-default'],
    ['one with an empty owner', 'registry-default/'],
    ['one with an empty workspace', 'registry-/alice'],
    ['one with three parts', 'registry-default/alice/more'],
    ['one in another case', 'Registry-default/alice'],
    ['a broken percent encoding', 'registry-default/%E0%A4'],
    ['a percent sign that encodes nothing', 'registry-default/100%'],
    // Each of these would be a second stream of a registry that has one.
    ['a character encoded that need not be', 'registry-default/%61lice'],
    ['a percent encoding in lower case', 'registry-default/a%2fb'],
    ['a character bare that must be encoded', 'registry-default/alice bob'],
    ['a reserved character bare', "registry-default/alice's"],
  ]
  test.each(OTHERS)('%s', (_name, stream) => {
    expect(registryOfStream(stream)).toBeUndefined()
  })
})
