/** What a bench says, and how it is printed. */
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

export interface BenchRow {
  readonly case: string
  readonly value: number
  readonly unit: string
  /** What the machine gave without the product, in the same unit and run. */
  readonly floor?: number
  /** value / floor for rates, floor / value for times: 1 is as good as the floor. */
  readonly ratio?: number
  /** Milliseconds per command. */
  readonly p50?: number
  readonly p99?: number
  /** Of the repetitions, in the unit of the value. */
  readonly spread?: Spread
  readonly aim?: Aim
}

export interface Spread {
  readonly min: number
  readonly max: number
}

/** What the value, the ratio or the p99 is to come to. */
export type Aim =
  | { readonly atLeast: number }
  | { readonly atMost: number }
  | { readonly ratioMin: number }
  | { readonly p99MsMax: number }

export interface BenchReport {
  readonly name: string
  readonly machine: Readonly<Record<string, string | number>>
  readonly rows: readonly BenchRow[]
  /** Sentences for under the table. */
  readonly notes?: readonly string[]
}

export function machineFacts(): Readonly<Record<string, string | number>> {
  const versions = ['better-sqlite3', 'xstate', 'zod'].map((name) => `${name} ${versionOf(name)}`)
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${process.platform} ${release()}`,
    node: process.version,
    packages: versions.join(', '),
  }
}

export function printReport({ name, machine, rows, notes = [] }: BenchReport): void {
  console.log(`\n${name}: ${Object.values(machine).join(' | ')}\n`)
  const table = [
    ['case', 'value', 'spread', 'unit', 'floor', 'ratio', 'p50 ms', 'p99 ms', 'aim'],
    ...rows.map((row) => [
      row.case,
      figure(row.value),
      row.spread === undefined ? '' : `${figure(row.spread.min)}..${figure(row.spread.max)}`,
      row.unit,
      figure(row.floor),
      row.ratio === undefined ? '' : row.ratio.toFixed(2),
      row.p50 === undefined ? '' : row.p50.toFixed(2),
      row.p99 === undefined ? '' : row.p99.toFixed(2),
      aimOf(row),
    ]),
  ]
  const widths = (table[0] as string[]).map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0)))
  const text = (line: readonly string[]) => `| ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  console.log(text(table[0] as string[]))
  console.log(`|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`)
  for (const line of table.slice(1)) console.log(text(line))
  if (notes.length > 0) console.log(`\n${notes.map((note) => `- ${note}`).join('\n')}`)
}

/** Of the whole process, its threads included. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

export function sorted(values: readonly number[]): readonly number[] {
  return values.toSorted((one, other) => one - other)
}

/** The middle one, of any order. */
export function median(values: readonly number[]): number {
  return quantile(sorted(values), 0.5)
}

export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}

/** The aim and whether it is met; nothing where there is none. */
export function aimOf({ value, ratio = 0, p99 = Number.POSITIVE_INFINITY, aim }: BenchRow): string {
  if (aim === undefined) return ''
  const told = (text: string, isMet: boolean) => `${text}: ${isMet ? 'met' : 'not met'}`
  if ('atLeast' in aim) return told(`>= ${figure(aim.atLeast)}`, value >= aim.atLeast)
  if ('atMost' in aim) return told(`<= ${figure(aim.atMost)}`, value <= aim.atMost)
  if ('ratioMin' in aim) return told(`ratio >= ${aim.ratioMin}`, ratio >= aim.ratioMin)
  return told(`p99 < ${aim.p99MsMax} ms`, p99 < aim.p99MsMax)
}

/** As tables tell it. */
export function figure(value: number | undefined): string {
  if (value === undefined) return ''
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)
}

/** Of a package that is installed here, or of this one. */
export function versionOf(name: string): string {
  const folder = name === 'verdict' ? '..' : `../node_modules/${name}`
  const path = new URL(`${folder}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}
