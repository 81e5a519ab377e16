/** Who is measured, in the order of the table, and what each needs on the machine. */
import type { ProgramName } from './programs.ts'

export interface PeerEntry {
  readonly name: string
  readonly label: string
  readonly needs?: ProgramName
  /** What is measured with it; both where it is left out. */
  readonly only?: Measure
  /** How its waiters learn of an outcome. */
  readonly waitsBy: string
  /** W1 at 32 in flight is to come to so many times the floor. */
  readonly aimTimes?: number
}

export type Measure = 'w1' | 'waits'

/** The floor of the ratios: the queue that people have, as durable as Verdict is. */
export const FLOOR = 'bullmq'

export const PEERS: readonly PeerEntry[] = [
  { name: 'verdict', label: 'Verdict in process', waitsBy: 'outcome(), same process', aimTimes: 3 },
  { name: 'verdict-sdk', label: 'Verdict by SDK', waitsBy: 'outcome(), from anywhere', aimTimes: 2 },
  { name: FLOOR, label: 'BullMQ, fsync always', needs: 'redis-server', waitsBy: 'waitUntilFinished(), from anywhere' },
  {
    name: 'bullmq-places',
    label: 'BullMQ, fsync always, a place for each in flight',
    needs: 'redis-server',
    only: 'w1',
    waitsBy: 'not measured',
  },
  {
    name: 'bullmq-everysec',
    label: 'BullMQ, fsync everysec (less durable)',
    needs: 'redis-server',
    waitsBy: 'waitUntilFinished(), from anywhere',
  },
  { name: 'pg-boss', label: 'pg-boss', needs: 'postgres', waitsBy: 'asks every 25 ms, from anywhere' },
  { name: 'dbos', label: 'DBOS', needs: 'postgres', waitsBy: 'getResult(), same process' },
  {
    name: 'dbos-retrieved',
    label: 'DBOS, retrieved handle',
    needs: 'postgres',
    only: 'waits',
    waitsBy: 'getResult(), from anywhere: asks every 1,000 ms',
  },
]
