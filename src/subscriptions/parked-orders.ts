/** Handing an order for a parked stream to whoever follows, and waiting for what came of it. */
import { OperatorOrders, type Order } from '../../projections/operator-orders.ts'
import type { ParkedStream, ReadDatabase } from '../../projections/read-database.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import { ReadSideError } from './read-side-error.ts'

export type OrderAnswer =
  | { readonly type: 'followed' }
  /** It is parked still, or again further on. */
  | { readonly type: 'parked'; readonly parked: ParkedStream }

const LOOK_MS = 20

/** Throws ReadSideError `not_parked`, `nobody_follows`. */
export async function carryOut(
  database: ReadDatabase,
  order: Order,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<OrderAnswer> {
  const { projection, stream } = order
  if (parkedIn(database, projection, stream) === undefined) {
    throw new ReadSideError('not_parked', `'${projection}' has no parked stream '${stream}'.`)
  }
  const orders = new OperatorOrders(database)
  orders.give(order)
  const deadline = clock.monotonicNow() + timeoutMs
  const isOpen = () => orders.open().some((one) => one.projection === projection && one.stream === stream)
  try {
    while (isOpen()) {
      if (clock.monotonicNow() >= deadline) {
        const message = `Nobody follows '${projection}' and could go on with '${stream}'; it was tried for ${timeoutMs} ms.`
        throw new ReadSideError('nobody_follows', message)
      }
      await sleep(clock, LOOK_MS, signal)
    }
  } finally {
    orders.done(order)
  }
  const parked = parkedIn(database, projection, stream)
  return parked === undefined ? { type: 'followed' } : { type: 'parked', parked }
}

function parkedIn(database: ReadDatabase, projection: string, stream: string): ParkedStream | undefined {
  const serving = database.generations(projection).find(({ standing }) => standing === 'serving')
  return serving && database.parked(serving).find((one) => one.stream === stream)
}
