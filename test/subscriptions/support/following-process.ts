/**
 * A process with a node that follows, told what to do by lines: `ask ID KIND`, `health`. Run by several-processes.test.ts;
 * `node following-process.ts FILE`.
 */
import { writeSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { openNode } from '../../../src/app.ts'

const [, , file = ''] = process.argv
const node = await openNode(file, {
  settings: { logLevel: 'silent', followLeaseMs: 1_000 },
  readModels: {
    follow: 'at_start',
    projections: [{ module: path.join(import.meta.dirname, 'tally-projections.ts'), name: 'TALLY' }],
  },
})
say({ pid: process.pid })
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'health') {
    const all = await node.readSide.health()
    say(all.find(({ projection }) => projection === 'tally'))
  } else {
    const [, id = '', kind = ''] = line.split(' ')
    const sent = await node.door.send({ workspace: 'default', owner: 'a' }, { type: 'RegisterOperation', id, kind })
    say(sent.type === 'answered' ? { position: sent.answer.position } : sent)
  }
}
await node.door.close()

function say(answer: unknown): void {
  writeSync(1, `${JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}\n`)
}
