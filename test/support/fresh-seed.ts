import { onTestFailed } from 'vitest'

/**
 * A seed that nobody has tried, most likely, for the test that asks; or the one that a variable of the environment gives. Told when
 * the test fails, however it fails: what a process does under load may come to its end long before anything is compared.
 */
export function freshSeed(variable: `VERDICT_${string}_SEED`): number {
  const seed = Number(process.env[variable] ?? Date.now() % 2 ** 31)
  onTestFailed(() => void process.stderr.write(`The same once more: ${variable}=${seed}\n`))
  return seed
}
