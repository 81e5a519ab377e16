import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'

const MAIN = path.join(import.meta.dirname, 'creating-process-main.ts')

let directory: string
let file: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'verdict-creation-'))
  file = path.join(directory, 'log.db')
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
})

function creating(moment: 'tables' | 'link' | 'still') {
  const child = spawn(process.execPath, [MAIN, file, moment], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return { child, exited: once(child, 'exit'), lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}

async function openedLogId(): Promise<string> {
  const store = await openSqliteStore({ path: file })
  const { logId } = await store.identity()
  await store.close()
  return logId
}

describe('what the creator of a log leaves', () => {
  test.each(['tables', 'link'] as const)('that is killed (%s) is gone when the log was opened', async (moment) => {
    const { exited } = creating(moment)
    expect(await exited).toEqual([null, 'SIGKILL'])
    const left = readdirSync(directory)
    expect(left.length).toBeGreaterThan(0)
    expect(left.filter((name) => !name.startsWith('log.db.creating-'))).toEqual([])
    await openedLogId()
    expect(readdirSync(directory)).toEqual(['log.db'])
  })

  test('that is still about it is of no use any more: it goes on with the log that is there', async () => {
    const { child, exited, lines } = creating('still')
    expect((await lines.next()).value).toBe('still')
    const logId = await openedLogId()
    expect(readdirSync(directory)).toEqual(['log.db'])
    child.stdin.end('\n')
    expect((await lines.next()).value).toBe(logId)
    expect(await exited).toEqual([0, null])
    expect(readdirSync(directory)).toEqual(['log.db'])
  })

  test('is told from files that only look like it', async () => {
    const names = ['log.db.creating-notes', 'other.db.creating-3b0a3c3e-0d6c-4f5c-9d5e-3f0d1a2b3c4d']
    for (const name of names) writeFileSync(path.join(directory, name), '')
    await openedLogId()
    expect(readdirSync(directory).sort()).toEqual(['log.db', ...names].sort())
  })
})
