import { describe, expect, test } from 'vitest'
import { OutputProgress, progressOf } from '../../src/cli/output-progress.ts'

describe('a line of output', () => {
  test.each([
    ['42%', { percent: 42, processed: 42, total: 100 }],
    ['compiling: 7.5 % done', { percent: 7.5, processed: 7.5, total: 100 }],
    ['10% ... 20%', { percent: 20, processed: 20, total: 100 }],
    ['100%', { percent: 100, processed: 100, total: 100 }],
    ['3/10', { percent: 30, processed: 3, total: 10 }],
    ['[3/10] building', { percent: 30, processed: 3, total: 10 }],
    ['file 3 of 12', { percent: 25, processed: 3, total: 12 }],
    ['(1/3)', { percent: 33.3, processed: 1, total: 3 }],
    ['0/5 files', { percent: 0, processed: 0, total: 5 }],
  ])('%j says how far it is', (line, numbers) => {
    expect(progressOf(line)).toEqual({ message: line, ...numbers })
  })

  test.each(['hello', '150%', '12/10', '3/0', '2026/10/11', 'src/10/12', 'v1/2', '1.2.3/4', '10-12/13', '1/2.5'])(
    '%j says nothing of how far it is',
    (line) => {
      expect(progressOf(line)).toEqual({ message: line })
    },
  )

  test('is told without colours and control characters, and cut', () => {
    expect(progressOf('\u001b[1;32m 50% \u001b[0m\u0007ok\u001b]0;title\u0007').message).toBe('50%  ok')
    expect(progressOf('x'.repeat(5_000)).message).toHaveLength(200)
  })
})

describe('a stream of output', () => {
  const told = (...chunks: readonly (string | Buffer)[]) => {
    const messages: (string | undefined)[] = []
    const lines = new OutputProgress(({ message }) => messages.push(message))
    for (const chunk of chunks) lines.take(Buffer.from(chunk))
    lines.end()
    return messages
  }

  test('is told line by line, of many at once the last', () => {
    expect(told('one\ntwo\n', 'three\r\n')).toEqual(['two', 'three'])
  })

  test('is told when a line is drawn over itself', () => {
    expect(told('1%\r', '2%\r')).toEqual(['1%', '2%'])
  })

  test('may be cut anywhere, also within a character', () => {
    const bytes = Buffer.from('grün\n')
    expect(told(bytes.subarray(0, 3), bytes.subarray(3))).toEqual(['grün'])
  })

  test('is told to its end without an end of line, and empty lines are not told', () => {
    expect(told('\n\n  \n', 'the end')).toEqual(['the end'])
    expect(told()).toEqual([])
  })

  test('without any end of line does not grow in memory', () => {
    const messages: unknown[] = []
    const lines = new OutputProgress((progress) => messages.push(progress))
    for (let i = 0; i < 100; i++) lines.take(Buffer.alloc(100_000, 0x61))
    lines.end()
    expect(messages).toHaveLength(1)
  })
})
