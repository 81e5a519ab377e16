/** Cases of the contract: names of streams and texts of events come back byte for byte. */
import { randomUUID } from 'node:crypto'
import type { ContractCase } from './contract-case.ts'
import { acknowledged, all, appendSome, encode, newEventOf, positionNow } from './contract-events.ts'
import type { StoredEvent } from './event-store.ts'
import { verifyChain } from './hash-chain.ts'
import { registryStream } from './stream-names.ts'

export function bytesContract({ describe, onLog, expect }: ContractCase): void {
  describe('stream names and bytes', () => {
    const bytes128 = 'ä'.repeat(64)
    const owners: readonly string[] = [
      'plain',
      'Plain',
      'a b',
      'a%20b',
      'a%2520b',
      '%',
      '/',
      '..',
      "'; DROP TABLE streams; --",
      '"',
      '$all',
      '\u0000',
      '\n',
      '\u2028',
      '\ufeff',
      'é',
      'e\u0301',
      '𝒳',
      '日本',
      'x'.repeat(128),
      bytes128,
      `${bytes128.slice(1)}ö`,
      '%_*?[a]',
    ]

    onLog('streams of hostile names keep apart and come back by their name', async (log) => {
      const store = await log.open()
      const before = await positionNow(store, log)
      const streams = owners.map((owner) => log.stream(owner))
      const stored: StoredEvent[] = []
      for (const stream of streams) stored.push(...(await appendSome(store, stream, 1)))
      const other = await log.open()
      for (const [index, stream] of streams.entries()) {
        expect(await all(other.readStream(stream))).toEqual([stored[index]])
      }
      expect(await all(other.readAll({ after: before, prefixes: [log.prefix] }))).toEqual(stored)
    })

    onLog('the workspace may have 128 bytes as well', async (log) => {
      const store = await log.open()
      const workspace = `${randomUUID()}${'é'.repeat(46)}`
      expect(Buffer.byteLength(workspace)).toEqual(128)
      const stream = registryStream({ workspace, owner: bytes128 })
      const stored = await appendSome(store, stream, 2)
      expect(await all(store.readStream(stream))).toEqual(stored)
    })

    onLog('every text comes back byte for byte', async (log) => {
      const [writer, reader] = [await log.open(), await log.open()]
      const stream = log.stream('bytes')
      const contents: unknown[] = [
        JSON.parse('{"b":1,"10":2,"9":3,"a":4,"-1":5,"01":6,"4294967295":7}'),
        JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":null,"":"empty"}'),
        JSON.parse('{"high":"\\ud800","low":"\\udfff","turned":"\\udc00\\ud800","pair":"\\ud83d\\ude00"}'),
        [-0, 0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 0.1, 2 ** 53, -(2 ** 53)],
        '\u2028\u2029\u0000\u001f\u007f\ufeff\ufffe\uffff"\\/\b\f\n\r\t',
        ',"content":{"salt":"',
        '日本語 עברית 𝒳 e\u0301 é ﷽',
        { deep: JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`) },
        [null, true, false, '', [], {}],
      ]
      const events = encode(stream, undefined, contents)
      acknowledged(await writer.append(stream, 'no_stream', events))
      const read = await all(reader.readStream(stream))
      expect(read.map(newEventOf)).toEqual(events)
      expect((await verifyChain(read)).type).toEqual('intact')
      expect(read.map(({ content }) => content.slice(content.indexOf(',"value":')))).toEqual(
        contents.map((result) => `,"value":${JSON.stringify({ result })}}`),
      )
    })

    onLog('a content of 400 KiB comes back as it was', async (log) => {
      const store = await log.open()
      const stream = log.stream('large')
      const events = encode(stream, undefined, ['é\u0001'.repeat((400 * 1024) / 8)])
      acknowledged(await store.append(stream, 'no_stream', events))
      expect((await all(store.readStream(stream))).map(newEventOf)).toEqual(events)
    })
  })
}
