import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { storePlace } from '../../src/cli/store-option.ts'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { startServer } from '../support/eventstoredb-rig.ts'
import { CommandLine, type CommandLineOptions, verdict } from './support/command-line.ts'

let folder = ''
beforeEach(() => {
  folder = freshFolder()
})

const TRUE = ['--', process.execPath, '-e', '']
const verdictIn = (args: readonly string[], options: CommandLineOptions) => new CommandLine(args, options).ended

describe('a log by its address', () => {
  test.each(['sqlite:', 'esdb:'])('is written by run, read by verify and by the library: %s', async (kind) => {
    const server = await startServer()
    const store = kind === 'esdb:' ? server.url : `sqlite:${path.join(folder, 'any name')}`
    expect(await verdict('run', '--store', store, '--id', 'a', ...TRUE)).toMatchObject({ code: 0, stderr: '' })
    const { code, stdout } = await verdict('verify', '--store', store)
    expect(code).toBe(0)
    expect(stdout.toString()).toMatch(/^5 events in 2 streams, 0 faults$/m)
    expect(await (await openedAt(store)).operation('a').outcome()).toMatchObject({ status: 'completed' })
  })

  test('in memory is gone with its process, and there is nothing to verify', async () => {
    const ran = await verdictIn(['run', '--store', 'memory:', ...TRUE], { cwd: folder })
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(await verdict('verify', '--store', 'memory:')).toMatchObject({
      code: 125,
      stderr: 'verdict: there is no log at memory:\n',
    })
    expect(readdirSync(folder)).toEqual([])
  })

  test('on a server that has none is not begun by verify', async () => {
    const server = await startServer()
    expect(await verdict('verify', '--store', server.url)).toMatchObject({
      code: 125,
      stderr: `verdict: there is no log at ${server.url}\n`,
    })
    expect(server.calls.append).toBe(0)
  })

  test('takes the end of a command whose server was gone in between', async () => {
    const server = await startServer()
    const line = new CommandLine(
      ['run', '--store', server.url, '--id', 'a', '--', 'sh', '-c', 'echo up; read -r line; exit 3'],
      { keepsInputOpen: true },
    )
    await line.printed('up')
    server.kill()
    line.child.stdin?.end('go on\n')
    await server.start()
    expect(await line.ended).toMatchObject({ code: 3 })
    expect(await (await openedAt(server.url)).operation('a').outcome()).toMatchObject({
      status: 'failed',
      error: { code: 'exit_3' },
    })
  })
})

describe('which log', () => {
  const FLAG = 'sqlite:flag.db'
  const ENVIRONMENT = 'esdb://localhost:2113?tls=false'
  test.each([
    ['the flag --store', { store: FLAG }, ENVIRONMENT, FLAG],
    ['the flag --data', { data: 'there' }, ENVIRONMENT, path.join('there', 'verdict.db')],
    ['the environment', {}, ENVIRONMENT, ENVIRONMENT],
    ['the folder of the project, where the environment is empty', {}, '', path.join('.verdict', 'verdict.db')],
    ['the folder of the project', {}, undefined, path.join('.verdict', 'verdict.db')],
  ])('is said by %s', (_what, flags, environment, location) => {
    expect(storePlace(flags, { VERDICT_STORE: environment }).location).toBe(location)
  })

  test('a program takes it from its environment, and from the folder where it stands', async () => {
    const store = `sqlite:${path.join(folder, 'one.db')}`
    await verdictIn(['run', ...TRUE], { env: { VERDICT_STORE: store }, cwd: folder })
    expect(existsSync(path.join(folder, 'one.db'))).toBe(true)
    expect(existsSync(path.join(folder, '.verdict'))).toBe(false)
    expect(await verdictIn(['verify'], { env: { VERDICT_STORE: store }, cwd: folder })).toMatchObject({ code: 0 })
    await verdictIn(['run', ...TRUE], { cwd: folder })
    expect(existsSync(path.join(folder, '.verdict', 'verdict.db'))).toBe(true)
  })

  test.each([
    [
      ['--data', 'here', '--store', 'memory:'],
      '--data and --store exclude each other: one is a folder, the other an address',
    ],
    [['--store', ''], '--store wants sqlite:PATH, memory: or esdb://host:port, got ""'],
    [['--data', ''], '--data wants a folder, got ""'],
    [['--store', './my.db'], '--store wants sqlite:PATH, memory: or esdb://host:port, got "./my.db"'],
    [['--store', 'localhost:2113'], '--store wants sqlite:PATH, memory: or esdb://host:port, got "localhost:2113"'],
    [
      ['--store', 'http://u:p4ss@host?password=p4ss'],
      '--store wants sqlite:PATH, memory: or esdb://host:port, got "http://u:***@host?password=***"',
    ],
  ])('%j is refused with a sentence and exit code 2, and nothing is made', async (args, sentence) => {
    for (const command of [
      ['run', ...args, ...TRUE],
      ['verify', ...args],
    ]) {
      expect(await verdictIn(command, { cwd: folder })).toMatchObject({
        code: 2,
        stderr: `verdict: ${sentence}; see "verdict --help"\n`,
      })
    }
    expect(readdirSync(folder)).toEqual([])
  })

  test('a wrong one in the environment is named after its variable', async () => {
    const { code, stderr } = await verdictIn(['verify'], { env: { VERDICT_STORE: 'u:p4ss@host' }, cwd: folder })
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        'verdict: VERDICT_STORE wants sqlite:PATH, memory: or esdb://host:port, got "u:***@host"; see "verdict --help"\n',
    })
  })

  test.each([
    [['esdb://u:p4ss@host']],
    [['verify', 'esdb://u:p4ss@host']],
    [['run', 'esdb://u:p4ss@host', '--', 'true']],
  ])('an address in the wrong place keeps its password to itself: %j', async (args) => {
    const { code, stderr } = await verdict(...args)
    expect(code).toBe(2)
    expect(stderr).toContain('"esdb://u:***@host"')
  })
})
