/** What is fuzzed: inputs, and what must hold for each of them. */
import type fc from 'fast-check'

export interface FuzzTarget<Input = unknown> {
  readonly name: string
  /** In words, for `npm run fuzz -- --help`. */
  readonly about: string
  /** Inputs of one seed. */
  readonly runs: number
  /** What the inputs of one seed are sent to; the same seed is the same story. */
  readonly open: () => Promise<OpenTarget<Input>>
}

export interface OpenTarget<Input = unknown> {
  readonly inputs: fc.Arbitrary<Input>
  /** Throws what does not hold. */
  readonly check: (input: Input) => void | Promise<void>
  /** After the last input: throws what does not hold of all that they left behind. */
  readonly checkLeft?: () => Promise<void>
  /** An input as somebody reads it who looks for the fault. */
  readonly shown?: (input: Input) => string
  readonly close?: () => Promise<void>
}

/** A target whose inputs are known to itself alone: what is done with them is done by one and the same. */
export function fuzzTarget<Input>(target: FuzzTarget<Input>): FuzzTarget {
  return target as FuzzTarget // whoever runs it hands `check` nothing but what its own `inputs` made
}

/** Why an input fails: told without a stack, which would be that of the fuzzer. */
export class NotHeld extends Error {
  override readonly name = 'NotHeld'
}

export function mustHold(holds: boolean, what: () => string): void {
  if (!holds) throw new NotHeld(what())
}
