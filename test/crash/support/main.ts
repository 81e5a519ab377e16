/**
 * npm run crash -- [--cycles N] [--seed N] [--point NAME] [--embedded]: kills a server with clients at work N times (28), at every
 * point in turn or at one, and holds what clients were told against what it left. With --embedded a process without a server is
 * killed instead, at any moment, with nobody but itself to be told (200).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crashCycles } from '../../support/crash-cycles.ts'
import { needs } from '../../support/needs.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { CRASH_POINTS, type CrashPoint, crashPoint, needsStrace } from './crash-points.ts'
import { crashRound, type RoundReport } from './crash-round.ts'

const ROUND_LIVES_MAX = CRASH_POINTS.length

const { values } = parseArgs({
  options: {
    cycles: { type: 'string' },
    seed: { type: 'string' },
    point: { type: 'string' },
    embedded: { type: 'boolean', default: false },
  },
})
const cycles = Number(values.cycles ?? (values.embedded ? 200 : 2 * CRASH_POINTS.length))
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
process.exitCode = (await (values.embedded ? embedded() : server())) ? 0 : 1

async function server(): Promise<boolean> {
  const wanted = values.point === undefined ? CRASH_POINTS : [crashPoint(values.point)]
  const canTrace = !wanted.some(needsStrace) || needs('strace')
  const points = wanted.filter((point) => canTrace || !needsStrace(point))
  process.stdout.write(`${cycles} cycles of kill -9 of a server at work, seed ${seed}\n`)
  const totals: Record<string, number> = {}
  for (let done = 0, round = 0; done < cycles; round++) {
    const random = seededRandom(seed + round)
    const plan = roundOf(points, Math.min(ROUND_LIVES_MAX, cycles - done), random)
    const report = await inFolder((folder) => crashRound({ folder, points: plan, random }))
    done += plan.length
    add(totals, report)
    if (!isWell(report, seed + round, plan.length)) return false
  }
  process.stdout.write(`${JSON.stringify(totals, undefined, 2)}\n`)
  return true
}

/** Each point as often as any other, in an order of its own in each round. */
function roundOf(points: readonly CrashPoint[], lives: number, random: () => number): readonly CrashPoint[] {
  const drawn = points.map((point) => ({ point, at: point.isOfNewLog ? -1 : random() })).sort((a, b) => a.at - b.at)
  const plan = Array.from({ length: lives }, (_, i) => drawn[i % drawn.length]?.point as CrashPoint) // never empty
  return plan.filter(({ isOfNewLog }, i) => i === 0 || isOfNewLog !== true)
}

function isWell({ lives }: RoundReport, roundSeed: number, plan: number): boolean {
  for (const { point, count, wasReached, faults, tookMs } of lives) {
    const told = wasReached ? '' : ' (not reached)'
    process.stdout.write(`${point} ${count}${told}: ${faults.length} faults, ${Math.round(tookMs)} ms\n`)
    for (const fault of faults) process.stdout.write(`FAULT (seed ${roundSeed}, point ${point} ${count}): ${fault}\n`)
    if (faults.length === 0) continue
    const one = values.point === undefined ? '' : ` --point ${values.point}`
    process.stdout.write(`again: npm run crash -- --seed ${roundSeed} --cycles ${plan}${one}\n`)
    return false
  }
  return true
}

function add(totals: Record<string, number>, { lives, ...counts }: RoundReport): void {
  for (const { point } of lives) totals[point] = (totals[point] ?? 0) + 1
  for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count
}

async function embedded(): Promise<boolean> {
  process.stdout.write(`${cycles} cycles of kill -9, seed ${seed}\n`)
  const { acknowledged, commands, terminal } = await inFolder((folder) =>
    crashCycles(folder, cycles, seededRandom(seed), (report) => {
      if (report.cycles % 20 === 0) process.stdout.write(`${report.cycles}: ${report.acknowledged} acknowledged\n`)
    }),
  )
  process.stdout.write(
    `${cycles} kills: ${acknowledged} acknowledged commands, all in the log (${commands} stored); ` +
      `${terminal} operations ended, none of them twice; every chain intact\n`,
  )
  return true
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'verdict-crash-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
