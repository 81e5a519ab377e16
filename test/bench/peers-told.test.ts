import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { FLOOR, PEERS, type PeerEntry } from '../../bench/peers/catalogue.ts'
import { FAIRNESS } from '../../bench/peers/fairness.ts'
import { CHART, kept, README, readmeWith } from '../../bench/peers/kept.ts'
import { type MeasuredCase, rowsOf } from '../../bench/peers/peer-rows.ts'
import { IN_FLIGHT, WORK_MS } from '../../bench/peers/peers.ts'
import { peersChart } from '../../bench/peers/peers-chart.ts'
import { peersTable } from '../../bench/peers/peers-table.ts'
import { missingProgram, programAt } from '../../bench/peers/programs.ts'
import { figure } from '../../bench/report.ts'

afterEach(() => vi.unstubAllEnvs())

describe('the run with peers that is kept', () => {
  // After another word in a table or a stroke in the chart: `npm run bench -- --retell`.
  test('is the one that bench/README.md and its chart tell of', () => {
    const page = readFileSync(README, 'utf8')
    expect(readmeWith(page, kept())).toBe(page)
    expect(page).toContain('](charts/peers.svg)')
    expect(readFileSync(CHART, 'utf8')).toBe(peersChart(kept()))
  })

  test('has a row for each peer and case, none of them nothing, and leaves nobody out', () => {
    const { rows, missing, repetitions } = kept()
    expect(missing).toEqual([])
    expect(repetitions).toBe(5)
    const expected = PEERS.flatMap(({ name, only }) => [
      ...(only === 'waits' ? [] : IN_FLIGHT.map((inFlight) => `${name} w1 ${inFlight}`)),
      ...(only === 'w1' ? [] : WORK_MS.map((workMs) => `${name} waits ${workMs}`)),
    ])
    expect(rows.map(({ peer, measure, inFlight, workMs }) => `${peer} ${measure} ${workMs ?? inFlight}`)).toEqual(
      expected,
    )
    expect(rows.filter(({ value, spread }) => !(spread.min > 0 && spread.min <= value && value <= spread.max))).toEqual(
      [],
    )
  })

  test('says what is unfair', () => {
    const table = peersTable(kept())
    for (const sentences of FAIRNESS) expect(table).toContain(sentences)
  })
})

describe('the chart of peers', () => {
  test('is XML, with a bar for each row and its figures in words', () => {
    const report = kept()
    const chart = peersChart(report)
    const { open, bars, texts } = readXml(chart)
    expect(open).toEqual([])
    expect(bars).toBe(report.rows.length)
    for (const { measure, value, p50, p99 } of report.rows) {
      const told = measure === 'w1' ? `${figure(value)} (` : `p50 ${figure(p50)}, p99 ${figure(p99)} ms`
      expect(texts.filter((text) => text.startsWith(told))).not.toEqual([])
    }
    for (const { label } of PEERS) expect(texts).toContain(label)
  })

  test('says names as they are, whatever stands in them', () => {
    const report = kept()
    const rows = report.rows.map((row) => ({ ...row, label: 'a < b & c' }))
    expect(readXml(peersChart({ ...report, rows })).texts).toContain('a < b & c')
  })
})

describe('the rows of peers', () => {
  const floor = entry(FLOOR)
  const verdict = entry('verdict')

  test('are medians with the least and the most, against the floor in the same repetition', () => {
    const rows = rowsOf([w1(verdict, [300, 100, 90]), w1(floor, [100, 20, 90])])
    expect(rows).toMatchObject([
      { peer: 'verdict', value: 100, spread: { min: 90, max: 300 }, floor: 90, ratio: 3, aim: { ratioMin: 3 } },
      { peer: FLOOR, value: 90, spread: { min: 20, max: 100 } },
    ])
    expect(rows[1]).not.toHaveProperty('ratio')
  })

  test('have neither ratio nor aim where the floor was not measured', () => {
    const [row] = rowsOf([w1(verdict, [300])])
    expect(row).not.toHaveProperty('ratio')
    expect(row).not.toHaveProperty('aim')
  })

  test('tell a loss in words', () => {
    const rows = rowsOf([w1(verdict, [100]), w1(floor, [200])])
    expect(peersTable({ ...kept(), rows })).toContain(
      '- Verdict in process, W1, 32 in flight (100 operations/s): behind BullMQ, fsync always, 200.',
    )
    expect(peersTable({ ...kept(), rows: rowsOf([w1(verdict, [200]), w1(floor, [100])]) })).toContain(
      'Verdict is behind none of them in any row.',
    )
  })
})

test('a program that a peer needs and that is not there is told with the line that installs it', () => {
  vi.stubEnv('PATH', '/nowhere')
  expect(missingProgram('redis-server')).toBe('redis-server is not on this machine: apt-get install redis-server')
  vi.unstubAllEnvs()
  expect(programAt('sh')).toMatch(/\/sh$/)
})

function entry(name: string): PeerEntry {
  return PEERS.find((peer) => peer.name === name) as PeerEntry // which is there
}

function w1(peer: PeerEntry, rates: readonly number[]): MeasuredCase {
  const figures = rates.map((rate) => ({ rate, p50: 1, p99: 2 }))
  return { peer, measure: 'w1', inFlight: 32, seconds: 1, figures }
}

/** Reads all of it as XML; throws at the first thing that is none. */
function readXml(document: string): {
  readonly open: readonly string[]
  readonly bars: number
  readonly texts: string[]
} {
  const open: string[] = []
  const texts: string[] = []
  let bars = 0
  let at = 0
  for (const { index, 0: tag, 1: end, 2: name = '', 3: attributes = '', 4: empty } of document.matchAll(TAG)) {
    const content = document.slice(at, index)
    if (/<|&(?!amp;|lt;|gt;)/.test(content)) throw new Error(`no XML: ${content}`)
    at = index + tag.length
    if (end === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> ends what did not begin`)
      if (name === 'text') texts.push(content.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'))
      continue
    }
    if (/class="bar /.test(attributes)) bars++
    if (empty !== '/') open.push(name)
  }
  if (document.slice(at).trim() !== '') throw new Error('something stands behind the end')
  return { open, bars, texts }
}

const TAG = /<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="[^"<&]*")*)(\/?)>/g
