import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { CommandLine } from './support/command-line.ts'

const PRELOAD = path.resolve(import.meta.dirname, 'support/tell-compiled-code.ts')

/** `verdict operations list` of a log with one operation: where each of its threads keeps compiled code, and the folder. */
async function listed(environment: (folder: string) => Readonly<Record<string, string>>) {
  const folder = freshFolder()
  const data = path.join(folder, 'data')
  const told = path.join(folder, 'told')
  const env = {
    // That of the tests counts not.
    NODE_COMPILE_CACHE: '',
    NODE_OPTIONS: `--import=${PRELOAD}`,
    ...environment(folder),
  }
  const begun = await new CommandLine(['run', '--data', data, '--id', 'first', '--', 'true'], { env }).ended
  expect(begun).toMatchObject({ code: 0, stderr: '' })
  const list = ['operations', 'list', '--data', data]
  const { code, stderr } = await new CommandLine(list, { env: { ...env, TOLD_COMPILED_CODE: told } }).ended
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const threads = readFileSync(told, 'utf8').trimEnd().split('\n')
  // The writer of the log, who follows it, who answers questions.
  expect(threads.length).toBeGreaterThanOrEqual(3)
  return { folder, threads: new Set(threads) }
}

test('is kept by every thread of the program where its main thread keeps it: in the folder for temporary files', async () => {
  const { folder, threads } = await listed((folder) => ({ TMPDIR: folder }))
  const kept = path.join(folder, 'node-compile-cache')
  const [ofThisVersion = ''] = readdirSync(kept)
  expect(threads).toEqual(new Set([path.join(kept, ofThisVersion)]))
})

test('is kept where NODE_COMPILE_CACHE says, by every thread', async () => {
  const { folder, threads } = await listed((folder) => ({ NODE_COMPILE_CACHE: path.join(folder, 'mine') }))
  const [ofThisVersion = ''] = readdirSync(path.join(folder, 'mine'))
  expect(threads).toEqual(new Set([path.join(folder, 'mine', ofThisVersion)]))
})

test('is kept by nobody where that is switched off', async () => {
  const { folder, threads } = await listed((folder) => ({ TMPDIR: folder, NODE_DISABLE_COMPILE_CACHE: '1' }))
  expect(threads).toEqual(new Set(['nowhere']))
  expect(existsSync(path.join(folder, 'node-compile-cache'))).toBe(false)
})

test('is kept by nobody where nothing can be written, without a word', async () => {
  const { threads } = await listed((folder) => {
    const file = path.join(folder, 'no-folder')
    writeFileSync(file, '')
    return { TMPDIR: file }
  })
  expect(threads).toEqual(new Set(['nowhere']))
})
