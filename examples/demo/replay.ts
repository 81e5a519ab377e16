/** The whole log once more: chain, every fold, and what no single state can tell, read from one event after the other. */
import path from 'node:path'
import { type VerifyReport, verifyLog } from '../../src/audit/verify.ts'
import { step } from '../../src/authority/evolve.ts'
import { type OperationView, viewOf } from '../../src/authority/operation-view.ts'
import { EMPTY_REGISTRY, type RegistryState } from '../../src/authority/registry.ts'
import { decodeEvent } from '../../src/event-store/event-codec.ts'
import { registryStream } from '../../src/event-store/stream-names.ts'
import { type HistoryEntry, openNode } from '../../src/index.ts'

export interface Replay {
  readonly report: VerifyReport
  /** As folded again, oldest registration first. */
  readonly operations: readonly OperationView[]
  readonly revision: number
  readonly activeMost: number
  readonly terminalEvents: number
  readonly story: readonly HistoryEntry[]
}

export async function replay(folder: string, owner: string, storyOf: string): Promise<Replay> {
  const registry = { workspace: 'default', owner }
  const { store, door } = await openNode(path.join(folder, 'verdict.db'))
  try {
    let folded: RegistryState = EMPTY_REGISTRY
    const report = await verifyLog(store, {
      onRegistry: (name, state) => {
        if (name.owner === owner) folded = state
      },
    })
    let state = EMPTY_REGISTRY
    let activeMost = 0
    let terminalEvents = 0
    for await (const stored of store.readStream(registryStream(registry))) {
      const before = state.sequence
      state = step(state, decodeEvent(stored)).state
      activeMost = Math.max(activeMost, state.activeCount)
      terminalEvents += state.sequence - before
    }
    const now = Date.now()
    const operations = [...folded.operations.values()].sort((a, b) => a.number - b.number)
    return {
      report,
      operations: operations.map((operation) => viewOf(operation, now, 0)),
      revision: folded.revision,
      activeMost,
      terminalEvents,
      story: await door.history(registry, storyOf),
    }
  } finally {
    await door.close()
  }
}
