/** The history of every operation id, one by one: could a single thing have answered so? */
import type { History } from './history.ts'
import { checkLinearizable } from './linearizability.ts'
import { type OperationCall, observationsOf } from './observations.ts'
import { OPERATION_MODEL } from './operation-model.ts'

export interface OperationsChecked {
  /** Operation ids. */
  readonly operations: number
  /** Answers and unanswered calls that were put into an order. */
  readonly calls: number
  /** Ids whose search was given up. */
  readonly undecided: number
  readonly faults: readonly string[]
}

export function checkOperations(history: History): OperationsChecked {
  let calls = 0
  let undecided = 0
  const faults: string[] = []
  const observed = observationsOf(history)
  for (const [name, made] of observed) {
    calls += made.length
    const verdict = checkLinearizable(OPERATION_MODEL, made)
    if (verdict.type === 'undecided') undecided++
    if (verdict.type === 'violation') faults.push(storyOf(name, verdict.story as readonly OperationCall[], made))
  }
  return { operations: observed.size, calls, undecided, faults }
}

function storyOf(name: string, story: readonly OperationCall[], all: readonly OperationCall[]): string {
  const began = all[0]?.invokedAt ?? 0
  const lines = story.map(({ input, invokedAt, answered }) => {
    const at = (time: number) => (time - began).toFixed(3)
    const node = all.find((call) => call.input === input && call.invokedAt === invokedAt)?.node
    const until = answered === undefined ? '...' : at(answered.at)
    const output = answered === undefined ? 'no answer' : JSON.stringify(answered.output)
    return `  ${at(invokedAt)}-${until} ms ${node}: ${JSON.stringify(input)} -> ${output}`
  })
  return [`${name}: no order of its ${all.length} calls explains these:`, ...lines].join('\n')
}
