/**
 * Opens nodes and closes each while its threads import: the modules of questions that were just asked, or everything that a
 * thread begins with. Writes how many threads there were, and each that did not end by itself.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openNode } from '../../../src/app.ts'

const NODES = 5
const QUESTIONS = 6

const folder = mkdtempSync(path.join(tmpdir(), 'verdict-importing-'))
let threads = 0
const ended: string[] = []
process.on('worker', (worker) => {
  threads++
  const name = worker.threadName
  worker.once('exit', (code) => ended.push(`${name}: ${code}`))
})

const imports = new BroadcastChannel('imports')
let onImport = () => {}
imports.onmessage = () => onImport()

/** Says that it is being imported, takes its time, and leaves something open. */
const module = (name: string) => {
  const file = path.join(folder, `${name}.mjs`)
  const text = `
    const imports = new BroadcastChannel('imports')
    imports.postMessage('begun')
    imports.close()
    for (const until = performance.now() + 20; performance.now() < until; );
    await new Promise((resolve) => setTimeout(resolve, 5))
    setInterval(() => {}, 1_000)
    export const question = () => 0`
  writeFileSync(file, text)
  return file
}

for (let nth = 0; nth < NODES; nth++) {
  const location = nth % 2 === 0 ? 'memory:' : path.join(folder, `${nth}.db`)
  const node = await openNode(location, {
    settings: { logLevel: 'silent' },
    reconciler: false,
    webhooks: { path: path.join(folder, `${nth}-webhooks.db`) },
  })
  // Every fourth is closed while nothing is loaded yet.
  const begun = nth % 4 === 3 ? Promise.resolve() : imported(1 + (nth % 3))
  const asked = Array.from({ length: QUESTIONS }, (_, i) =>
    node.readSide.ask({ module: module(`${nth}-${i}`), name: 'question', projection: 'rates' }, []).catch(() => {}),
  )
  await begun
  await node.door.close()
  await Promise.all(asked)
}
imports.close()
rmSync(folder, { recursive: true, force: true })
console.log(JSON.stringify({ threads, ended: ended.length, otherwise: ended.filter((one) => !one.endsWith(': 0')) }))

/** That so many modules were begun with. */
function imported(count: number): Promise<void> {
  let begun = 0
  return new Promise((resolve) => {
    onImport = () => {
      if (++begun === count) resolve()
    }
  })
}
