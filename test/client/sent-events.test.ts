import { expect, test } from 'vitest'
import { SentEvents } from '../../src/client/sent-events.ts'

const TEXT = [
  ': a comment\n\n',
  'retry: 1000\n\n',
  'data: one\n\n',
  'event: open\ndata: {"a":1}\nid: 7\n\n',
  'data:two\ndata:  lines\n\n',
  'data\n\n',
  'event: nothing\n\n',
  '\n\n\ndata: ü€\n\n',
  'data: not whole',
].join('')

const EVENTS = [
  { name: '', data: 'one' },
  { name: 'open', data: '{"a":1}' },
  { name: '', data: 'two\n lines' },
  { name: '', data: '' },
  { name: '', data: 'ü€' },
]

test.each([
  ['line feeds', '\n'],
  ['carriage returns', '\r'],
  ['both', '\r\n'],
])('server-sent events with %s are the same wherever their text is cut', (_name, ending) => {
  const text = TEXT.replaceAll('\n', ending)
  for (let at = 0; at <= text.length; at++) {
    const events = new SentEvents()
    expect([...events.next(text.slice(0, at)), ...events.next(text.slice(at))]).toEqual(EVENTS)
  }
  const events = new SentEvents()
  expect([...text].flatMap((one) => events.next(one))).toEqual(EVENTS)
})
