/** One target, one seed: inputs that follow from the seed, each checked; the first that fails is made as small as it still fails. */
import fc from 'fast-check'
import type { FuzzTarget, OpenTarget } from './fuzz-target.ts'
import { NotHeld } from './fuzz-target.ts'

/** Whatever its input: an answer that takes longer is none. Generous, for machines that are busy. */
const RUN_MS_MAX = 60_000
/** Of one seed, all its inputs together: memory that grows with what was refused is a fault. */
const HEAP_BYTES_MAX = 1_500 * 1024 * 1024
const SHOWN_LENGTH_MAX = 4_000
const TOLD_LENGTH_MAX = 1_500

export interface FuzzReport {
  readonly runs: number
  /** In words, with the input and the command that plays it again; undefined where everything held. */
  readonly fault: string | undefined
}

export async function fuzz(
  { name, runs, open }: FuzzTarget,
  seed: number,
  runsWanted: number = runs,
): Promise<FuzzReport> {
  const opened = await open()
  try {
    const property = fc.asyncProperty(opened.inputs, (input) => timed(opened, input))
    const { failed, counterexample, errorInstance, numShrinks, numRuns } = await fc.check(property, {
      seed,
      numRuns: runsWanted,
      endOnFailure: false,
      verbose: 0,
    })
    const again = `again: npm run fuzz -- --target ${name} --seed ${seed}`
    if (failed) {
      const [input] = counterexample ?? []
      return {
        runs: numRuns,
        fault: [told(errorInstance), shown(opened, input), `made smaller ${numShrinks} times; ${again}`].join('\n  '),
      }
    }
    try {
      await opened.checkLeft?.()
      const { heapUsed } = process.memoryUsage()
      if (heapUsed > HEAP_BYTES_MAX) throw new NotHeld(`${heapUsed} bytes of memory are used`)
    } catch (error) {
      return { runs: numRuns, fault: `${told(error)}\n  after all inputs; ${again}` }
    }
    return { runs: numRuns, fault: undefined }
  } finally {
    await opened.close?.()
  }
}

/** A seed that nobody has tried, most likely; small enough to be typed. */
export function freshSeed(): number {
  return Date.now() % 1_000_000_000
}

async function timed({ check }: OpenTarget, input: unknown): Promise<void> {
  const begun = performance.now()
  await check(input)
  const tookMs = performance.now() - begun
  if (tookMs > RUN_MS_MAX) throw new NotHeld(`it took ${Math.round(tookMs)} ms`)
}

function told(error: unknown): string {
  if (error instanceof NotHeld) return cut(error.message, TOLD_LENGTH_MAX)
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function shown({ shown: show = fc.stringify }: OpenTarget, input: unknown): string {
  return cut(show(input), SHOWN_LENGTH_MAX)
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}... (${text.length} characters)`
}
