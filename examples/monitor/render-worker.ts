/** A worker in a process of its own: takes one operation, renders frame by frame. `node render-worker.ts URL OWNER ID` */
import { setTimeout as sleep } from 'node:timers/promises'
import { connectVerdict } from '../../src/client.ts'

const FRAMES = 24

// Gone with whoever started it, however that ends.
process.stdin.on('end', () => process.exit(1)).resume()

const [url = '', owner = '', id = ''] = process.argv.slice(2)
const verdict = connectVerdict(url, { owner, worker: { host: 'render-1', pid: process.pid } })
const rendering = await verdict.resume(id, {}, async ({ signal, progress }) => {
  for (let frame = 1; frame <= FRAMES; frame++) {
    await sleep(400, undefined, { signal })
    progress({ processed: frame, total: FRAMES, message: `frame ${frame}` })
  }
  return { frames: FRAMES }
})
await rendering.outcome()
await verdict.close()
process.exit(0)
