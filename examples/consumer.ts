import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type CheckpointStore, handleEvents } from '../src/projections.ts' // where the package is installed: 'verdict/projections'

// Anything that keeps four values will do: a row beside the effects of the handler, a document, a file.
const FILE = '.verdict/mailer-checkpoint.json'
const checkpoints: CheckpointStore = {
  load() {
    if (!existsSync(FILE)) return undefined
    const { position, ...rest } = JSON.parse(readFileSync(FILE, 'utf8'))
    return { ...rest, position: BigInt(position) }
  },
  save({ position, ...rest }) {
    writeFileSync(`${FILE}.new`, JSON.stringify({ ...rest, position: String(position) }))
    renameSync(`${FILE}.new`, FILE)
  },
}

// A service would go on until it is told to stop; this one leaves after a second, and goes on from here the next time.
const signal = AbortSignal.timeout(1_000)

await handleEvents('.verdict/verdict.db', {
  name: 'mailer',
  checkpoints,
  signal,
  handle({ events }) {
    for (const { event, owner, position } of events) {
      // At least once: whoever sends mail keeps the position as its id.
      if (event.type === 'OperationFailed') console.log(`${position}: mail to ${owner}: ${event.facts.id} has failed`)
    }
  },
  // An event that fails for good: told, left out, gone on behind. Without it the consumer stops and names the event.
  onPoison: 'skip',
  log: { warn: (facts, message) => console.error(message, facts) },
})
