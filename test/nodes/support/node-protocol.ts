/** What the test process and a node process say to each other, over the channel of a forked process. */
import type { CommandResult } from '../../../src/authority/command-answer.ts'
import type { Outcome } from '../../../src/authority/operation.ts'
import type { OperationSnapshot, Refusable, RegistryOverview, WaitAnswer } from '../../../src/authority/questions.ts'
import type { LeaseCause } from '../../../src/client/door.ts'

export type CommandInput = Readonly<Record<string, unknown>> & { readonly type: string; readonly id?: string }

export type Request =
  | { readonly do: 'send'; readonly owner: string; readonly command: CommandInput; readonly commandId: string }
  | { readonly do: 'snapshot'; readonly owner: string; readonly id: string }
  | { readonly do: 'overview'; readonly owner: string }
  | { readonly do: 'outcome'; readonly owner: string; readonly id: string }
  | {
      readonly do: 'wait'
      readonly owner: string
      readonly mode: 'all' | 'any'
      readonly ids: readonly string[]
      readonly waitId: string
      readonly deadlineAt?: number
    }
  /** Answered at once; what it hears comes as notices. */
  | { readonly do: 'listen'; readonly owner: string; readonly id: string; readonly leaseEpoch: number }
  | { readonly do: 'close' }

export interface Answers {
  readonly send: CommandResult
  readonly snapshot: OperationSnapshot | undefined
  readonly overview: RegistryOverview
  readonly outcome: Refusable<{ readonly outcome: Outcome }>
  readonly wait: Refusable<WaitAnswer>
  readonly listen: undefined
  readonly close: undefined
}

export type Reply =
  | { readonly type: 'told'; readonly value: Answers[Request['do']] }
  /** The door threw. */
  | { readonly type: 'threw'; readonly name: string; readonly message: string; readonly code?: string }

export interface Asked {
  readonly request: number
  readonly asked: Request
}

export type Said =
  | { readonly type: 'ready' }
  | { readonly type: 'reply'; readonly request: number; readonly reply: Reply }
  /** For the listener that this request began. */
  | { readonly type: 'notice'; readonly request: number; readonly cause: LeaseCause }

export const WORKSPACE = 'nodes'
