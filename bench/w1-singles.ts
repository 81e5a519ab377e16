/**
 * The load of W1 as single HTTP commands: each connection of autocannon registers, starts and completes operations of its own, one
 * after the other, each command a request that waits for the answer of the one before.
 */
import { randomUUID } from 'node:crypto'
import autocannon from 'autocannon'
import { PAYLOAD, REGISTRIES } from './w1-load.ts'

export interface SinglesMeasured {
  /** Commands per second. */
  readonly rate: number
  /** Milliseconds per command, whole ones. */
  readonly p50: number
  readonly p99: number
}

/** The operation that a connection is at. */
interface AtHand {
  path?: string
  leaseEpoch?: string
}

const INPUT = JSON.stringify(PAYLOAD)
/** In place of the one that an echo does not give; of the size that the ones of a server have. */
const NO_LEASE_EPOCH = '1000'

/** In a workspace of its own, so that a server may be measured many times. Throws where anything was refused or lost. */
export async function measureSingles(url: string, connections: number, seconds: number): Promise<SinglesMeasured> {
  const owners = `/v1/workspaces/bench-${randomUUID()}/owners`
  let operations = 0
  const register = (request: autocannon.Request, atHand: AtHand): autocannon.Request => {
    const i = operations++
    const path = `${owners}/owner-${i % REGISTRIES}/operations`
    const id = `operation-${i}`
    atHand.path = `${path}/${id}`
    request.path = path
    request.body = `{"id":"${id}","kind":"bench","input":${INPUT}}`
    return request
  }
  const claim = (request: autocannon.Request, { path }: AtHand): autocannon.Request => {
    request.path = `${path}:claim`
    return request
  }
  const claimed = (_status: number, body: string, atHand: AtHand) => {
    atHand.leaseEpoch = /"leaseEpoch":(\d+)/.exec(body)?.[1] ?? NO_LEASE_EPOCH
  }
  const complete = (request: autocannon.Request, { path, leaseEpoch }: AtHand): autocannon.Request => {
    request.path = `${path}:complete`
    request.body = `{"leaseEpoch":${leaseEpoch},"result":${INPUT}}`
    return request
  }
  const result = await autocannon({
    url,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    requests: [
      { setupRequest: register },
      { setupRequest: claim, body: '{}', onResponse: claimed },
      { setupRequest: complete },
    ],
    connections,
    duration: seconds,
  })
  const { non2xx, errors, duration, latency } = result
  if (non2xx > 0 || errors > 0) throw new Error(`${non2xx} refused, ${errors} lost`)
  return { rate: result['2xx'] / duration, p50: latency.p50, p99: latency.p99 }
}
