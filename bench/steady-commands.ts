/** Commands at a steady rate over 64 registries, whoever is slow: late ones are sent at once, up to a bound of what is under way. */
import type { EmbeddedNode } from '../src/app/embedded-node.ts'

export const PROBE_OWNER = { workspace: 'default', owner: 'probe' }

/** The shortest question that the index answers. */
export const NOTHING_ASKED = {
  projection: 'operation-index',
  module: new URL('./nothing-asked.ts', import.meta.url).href,
  name: 'nothingAsked',
}

const REGISTRIES = 64
/** Two seconds of 10,000 a second: who falls further behind is measured at the rate that it keeps up. */
const IN_FLIGHT_MAX = 20_000
const INPUT = { text: 'x'.repeat(280) }

/** Until the signal aborts; how many a second it came to. Each one's latency in ms is added to `latencies`. */
export async function steadyCommands(
  { door }: EmbeddedNode,
  perSecond: number,
  signal: AbortSignal,
  latencies: number[] = [],
): Promise<number> {
  const sending = new Set<Promise<unknown>>()
  const started = performance.now()
  let sent = 0
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - started) * perSecond) / 1_000)
    for (; sent < due && sending.size < IN_FLIGHT_MAX; sent++) {
      const at = performance.now()
      const name = { workspace: 'default', owner: `load-${sent % REGISTRIES}` }
      const command = { type: 'RegisterOperation', id: `load-${sent}`, kind: 'load', input: INPUT }
      const one = door.send(name, command).then(() => {
        latencies.push(performance.now() - at)
        sending.delete(one)
      })
      sending.add(one)
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(sending)
  return (1_000 * sent) / (performance.now() - started)
}
