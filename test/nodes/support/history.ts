/** What was asked of the nodes and what they said, in the time of the test process. */
import type { LeaseCause } from '../../../src/client/door.ts'
import type { Answers, Reply, Request } from './node-protocol.ts'

export interface Timed {
  /** The life of the node that it was sent to. */
  readonly node: string
  /** By the monotonic clock of this process, in ms. */
  readonly invokedAt: number
  /** Absent: the node ended before it answered, so it may have taken effect or not. */
  answered?: { readonly at: number; readonly reply: Reply }
}

export interface Entry<D extends Request['do']> extends Timed {
  readonly asked: Extract<Request, { do: D }>
}

export type AnyEntry = { [D in Request['do']]: Entry<D> }[Request['do']]

export interface Listener {
  readonly owner: string
  readonly id: string
  readonly leaseEpoch: number
  readonly node: string
  readonly heard: LeaseCause[]
}

/** All of one round. */
export class History {
  readonly entries: AnyEntry[] = []
  readonly listeners: Listener[] = []

  of<D extends Request['do']>(kind: D): readonly Entry<D>[] {
    return this.entries.filter(({ asked }) => asked.do === kind) as unknown as readonly Entry<D>[] // by its kind
  }

  byCommandId(): ReadonlyMap<string, readonly Entry<'send'>[]> {
    return Map.groupBy(this.of('send'), ({ asked }) => asked.commandId)
  }
}

/** What it was told; undefined without an answer, and for a door that threw. */
export function toldTo<D extends Request['do']>({ answered }: Entry<D>): { readonly value: Answers[D] } | undefined {
  // The node answers each request by its kind.
  return answered?.reply.type === 'told' ? { value: answered.reply.value as Answers[D] } : undefined
}
