/** The last honest run with peers: its JSON, and the chart and the part of bench/README.md that are made of it. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { PeersReport } from './peers.ts'
import { peersChart } from './peers-chart.ts'
import { peersTable } from './peers-table.ts'

const BENCH = path.resolve(import.meta.dirname, '..')
export const KEPT = path.join(BENCH, 'peers/kept.json')
export const CHART = path.join(BENCH, 'charts/peers.svg')
export const README = path.join(BENCH, 'README.md')
const FROM = '<!-- Written by `npm run bench -- peers --keep` from peers/kept.json. -->\n'
const TO = '\n<!-- Until here. -->'

/** Refuses a run with rows that are missing: what is kept tells of all. */
export function keepPeers(report: PeersReport): void {
  if (report.missing.length > 0) throw new Error(`only a whole run is kept; ${report.missing.join('; ')}`)
  // Its sentences are those of this program, not of the run.
  const { notes: _, ...measured } = report
  writeFileSync(KEPT, `${JSON.stringify(measured, null, 2)}\n`)
  retellPeers()
}

/** Chart and page anew, from the run that is kept. */
export function retellPeers(): void {
  const report = kept()
  writeFileSync(CHART, peersChart(report))
  writeFileSync(README, readmeWith(readFileSync(README, 'utf8'), report))
}

export function kept(): PeersReport {
  return JSON.parse(readFileSync(KEPT, 'utf8')) as PeersReport // as keepPeers wrote it
}

/** The page with the run told in its place. */
export function readmeWith(page: string, report: PeersReport): string {
  const [from, to] = [page.indexOf(FROM), page.indexOf(TO)]
  if (from < 0 || to < from) throw new Error(`bench/README.md has no place for the run with peers: ${FROM}${TO}`)
  return page.slice(0, from + FROM.length) + peersTable(report) + page.slice(to)
}
