import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import {
  codeMapDifferences,
  type ImportLaw,
  importCircles,
  impurities,
  misnamedFiles,
  type RoomLaw,
  unfinishedPlaces,
  unlawfulImports,
} from './support/architecture.ts'

const HOUSE = path.resolve(import.meta.dirname, '..')

/** The part of the event store that other rooms may lean on: what a log promises, and what its bytes mean; never an adapter. */
const EVENT_STORE_CONTRACT = [
  'src/event-store/event-store.ts',
  'src/event-store/event-codec.ts',
  'src/event-store/hash-chain.ts',
  'src/event-store/log-events.ts',
  'src/event-store/snapshot-cache.ts',
  'src/event-store/stream-names.ts',
]

/** Of the authority and the wire: what imports no package and costs a page next to nothing. */
const WORDS_AND_RULES = [
  'src/authority/deadlines.ts',
  'src/authority/freshness.ts',
  'src/authority/freshness-sentence.ts',
  'src/authority/reason-sentences.ts',
  'src/authority/spoken-duration.ts',
  'src/authority/status.ts',
  'src/wire/verbs.ts',
]

/** Every room that a node is put together from. */
const BELOW_THE_APP = [
  'src/authority',
  'src/runtime',
  'src/event-store',
  'src/client',
  'src/supervisor',
  'src/config.ts',
  'src/shell',
  'projections',
  'src/http',
  'src/reconciler',
  'src/subscriptions',
  'src/audit',
]

/** The import table. A room that is not built yet has its row already; a room without a row is a breach. */
const ROOMS: Readonly<Record<string, RoomLaw>> = {
  'src/authority': { imports: [], packages: ['xstate', 'zod'], node: false },
  'src/runtime': { imports: [], packages: ['pino'], node: true },
  'src/event-store': {
    imports: ['src/authority/events.ts'],
    packages: ['better-sqlite3', '@eventstore/db-client', 'zod'],
    node: true,
  },
  'src/client': { imports: ['src/authority', 'src/wire', 'src/runtime'], packages: ['bullmq'], node: true },
  'src/supervisor': { imports: ['src/runtime'], packages: [], node: true },
  'src/config.ts': { imports: ['src/authority', 'src/runtime'], packages: ['zod'], node: true },
  'src/shell': { imports: ['src/authority', ...EVENT_STORE_CONTRACT, 'src/runtime'], packages: [], node: true },
  projections: {
    imports: ['src/authority'],
    importsTypesOf: EVENT_STORE_CONTRACT,
    packages: ['better-sqlite3', 'zod'],
    node: true,
  },
  'src/subscriptions': {
    imports: [...EVENT_STORE_CONTRACT, 'src/authority', 'projections', 'src/runtime'],
    packages: ['better-sqlite3', 'zod'],
    node: true,
  },
  'src/reconciler': {
    imports: ['projections', 'src/authority', 'src/shell', 'src/runtime'],
    packages: [],
    node: true,
  },
  'src/wire': { imports: ['src/authority'], packages: ['zod'], node: false },
  'src/http': {
    imports: [
      'src/shell',
      'projections',
      'src/subscriptions',
      'src/authority',
      'src/wire',
      'src/runtime',
      ...EVENT_STORE_CONTRACT,
    ],
    // What a door promises is one interface, whether a shell or a server stands behind it.
    importsTypesOf: ['src/client/door.ts', 'src/client/monitoring-door.ts'],
    packages: [
      'fastify',
      '@fastify/rate-limit',
      '@opentelemetry/api',
      '@scalar/fastify-api-reference',
      'jose',
      'pino',
      'prom-client',
      'zod',
    ],
    node: true,
  },
  'src/audit': { imports: [...EVENT_STORE_CONTRACT, 'src/authority', 'projections'], packages: [], node: true },
  'src/app.ts': { imports: [...BELOW_THE_APP, 'src/app'], packages: [], node: true },
  'src/app': { imports: [...BELOW_THE_APP], packages: ['zod'], node: true },
  // The entries of threads know no more of the house than they run, and one of them loads modules that users name.
  'src/app/read-side-thread.ts': {
    imports: ['src/event-store', 'projections', 'src/subscriptions', 'src/runtime', 'src/app/thread-log.ts'],
    packages: [],
    node: true,
    importsAtRunTime: true,
  },
  'src/app/webhook-thread.ts': {
    imports: ['src/subscriptions', 'src/runtime', 'src/app/thread-log.ts'],
    packages: [],
    node: true,
  },
  'src/app/thread-log.ts': { imports: ['src/event-store', 'src/subscriptions'], packages: [], node: true },
  // The server as a whole: a node with its HTTP face.
  'src/serve.ts': {
    imports: ['src/app.ts', 'src/app', 'src/authority', 'src/config.ts', 'src/http', 'src/runtime'],
    packages: [],
    node: true,
  },
  'src/cli': {
    imports: ['src/app.ts', 'src/app', 'src/serve.ts', 'src/client', 'src/supervisor', 'src/audit'],
    packages: [],
    node: true,
  },
  // Runs in browsers: of the server it has the types of what it is answered, and a few words and rules that need nothing.
  'src/monitor': {
    imports: WORDS_AND_RULES,
    importsTypesOf: ['src/wire', 'src/authority'],
    packages: ['preact', '@preact/signals', 'uplot', 'vite'],
    node: false,
  },
}

const LAW: ImportLaw = { rooms: ROOMS, doors: doorsOfPackage() }

/** The doors are what package.json exports: `./dist/src/index.js` is built from `src/index.ts`. */
function doorsOfPackage(): readonly string[] {
  const { exports } = JSON.parse(readFileSync(path.join(HOUSE, 'package.json'), 'utf8'))
  return Object.values<string | { default: string }>(exports)
    .flatMap((target) => (typeof target === 'string' ? [] : [target.default]))
    .map((built) => built.replace(/^\.\/dist\//, '').replace(/\.js$/, '.ts'))
}

// Every file is read, whoever else is at work on the machine.
describe('the house', { timeout: 120_000 }, () => {
  test('no import circle exists, type imports included', () => {
    expect(importCircles(HOUSE)).toEqual([])
  })

  test('every import is allowed by the import table', () => {
    expect(unlawfulImports(HOUSE, LAW)).toEqual([])
  })

  test('the authority reaches no clock, no random source, no I/O and no other turn of the event loop', () => {
    expect(impurities(HOUSE, 'src/authority')).toEqual([])
  })

  test('the code map of ARCHITECTURE.md names exactly the rooms that exist', () => {
    expect(codeMapDifferences(HOUSE, LAW)).toEqual([])
  })

  test('files are named after what is in them', () => {
    expect(misnamedFiles(HOUSE)).toEqual([])
  })

  test('nothing is unfinished, silenced or skipped without a word', () => {
    expect(unfinishedPlaces(HOUSE)).toEqual([])
  })
})

describe('a circle is found', () => {
  test('of two files', () => {
    const root = tree({ 'src/shell/a.ts': `import './b.ts'`, 'src/shell/b.ts': `import './a.ts'` })
    expect(importCircles(root)).toEqual([
      'src/shell/a.ts: imports itself in a circle: src/shell/a.ts -> src/shell/b.ts -> src/shell/a.ts',
    ])
  })

  test.each([
    ['a type import', `import type { A } from '../src/shell/a.ts'`],
    ['an inline type import', `import { type A } from '../src/shell/a.ts'`],
    ['an import type', `export type B = import('../src/shell/a.ts').A`],
    ['a re-export', `export { a } from '../src/shell/a.ts'`],
    ['a re-export of everything', `export * from '../src/shell/a.ts'`],
    ['a dynamic import', `export const later = () => import('../src/shell/a.ts')`],
    ['a thread', `new Worker(new URL('../src/shell/a.ts', import.meta.url))`],
  ])('closed by %s', (_form, closing) => {
    const root = tree({ 'src/shell/a.ts': `import '../../projections/b.ts'`, 'projections/b.ts': closing })
    expect(importCircles(root)).toHaveLength(1)
  })

  test('of a file with itself', () => {
    expect(importCircles(tree({ 'src/shell/a.ts': `import './a.ts'` }))).toHaveLength(1)
  })

  test('behind files that only lead to it, and named without them', () => {
    const root = tree({
      'src/shell/a.ts': `import './b.ts'`,
      'src/shell/b.ts': `import './c.ts'`,
      'src/shell/c.ts': `import './b.ts'`,
    })
    expect(importCircles(root)).toEqual([
      'src/shell/b.ts: imports itself in a circle: src/shell/b.ts -> src/shell/c.ts -> src/shell/b.ts',
    ])
  })

  test('and two ways to one file are none', () => {
    const root = tree({
      'src/shell/a.ts': `import './b.ts'\nimport './c.ts'`,
      'src/shell/b.ts': `import './c.ts'`,
      'src/shell/c.ts': `// import './a.ts'\nexport const text = "import './a.ts'"`,
    })
    expect(importCircles(root)).toEqual([])
  })
})

describe('the import table finds', () => {
  test.each([
    ['src/shell/a.ts', `import '../../projections/b.ts'`, 'src/shell may not import projections/b.ts'],
    [
      'src/shell/a.ts',
      `import type {} from '../event-store/sqlite.ts'`,
      'src/shell may not import src/event-store/sqlite.ts',
    ],
    ['src/shell/a.ts', `import 'pino'`, 'src/shell may not import the package pino'],
    ['src/shell/a.ts', `import '../shell-two/b.ts'`, 'src/shell may not import src/shell-two/b.ts'],
    ['src/shell/a.ts', `import '../../test/b.ts'`, 'src/shell may not import test/b.ts'],
    [
      'src/shell/a.ts',
      `import '../index.ts'`,
      'src/shell imports the door src/index.ts; doors are for the world outside',
    ],
    ['src/shell/a.ts', `import 'verdict'`, 'src/shell may not import the package verdict'],
    ['src/shell/a.ts', 'await import(name)', 'imports a module whose name is only known at run time'],
    ['src/app.ts', 'await import(name)', 'imports a module whose name is only known at run time'],
    ['src/shell/a.ts', `require('better-sqlite3/lib/x')`, 'src/shell may not import the package better-sqlite3'],
    [
      'src/runtime/a.ts',
      `import '@eventstore/db-client'`,
      'src/runtime may not import the package @eventstore/db-client',
    ],
    ['src/authority/a.ts', `import 'node:crypto'`, 'src/authority may not import node:crypto'],
    ['src/authority/a.ts', `import type {} from 'fs'`, 'src/authority may not import fs'],
    [
      'src/event-store/a.ts',
      `import '../authority/decide.ts'`,
      'src/event-store may not import src/authority/decide.ts',
    ],
    [
      'projections/a.ts',
      `import { EventStore } from '../src/event-store/event-store.ts'`,
      'projections may import only types of src/event-store/event-store.ts',
    ],
  ])('in %s: %s', (file, line, breach) => {
    expect(unlawfulImports(tree({ [file]: `\n${line}` }), LAW)).toEqual([`${file}:2: ${breach}`])
  })

  test('a room without a row', () => {
    expect(unlawfulImports(tree({ 'src/misc/a.ts': '', 'src/stray.ts': '' }), LAW)).toEqual([
      'src/misc/a.ts: src/misc is no room of the import table',
      'src/stray.ts: src/stray.ts is no room of the import table',
    ])
  })

  test('in a room what only one of its files may do, and in that file what only the room may', () => {
    const root = tree({
      'src/app/read-side-of-node.ts': 'await import(name)',
      'src/app/webhook-thread.ts': `import '../shell/shell.ts'`,
    })
    expect(unlawfulImports(root, LAW)).toEqual([
      'src/app/read-side-of-node.ts:1: imports a module whose name is only known at run time',
      'src/app/webhook-thread.ts:1: src/app/webhook-thread.ts may not import src/shell/shell.ts',
    ])
  })

  test('a door that does more than re-export', () => {
    const root = tree({ 'src/index.ts': `export * from './app.ts'\nimport './shell/a.ts'\nexport const here = 1` })
    expect(unlawfulImports(root, LAW)).toEqual([
      'src/index.ts:2: a door only re-exports',
      'src/index.ts:3: a door only re-exports',
    ])
  })

  test('nothing in lawful imports', () => {
    const root = tree({
      'src/shell/a.ts': `import './b.ts'\nimport '../authority/decide.ts'\nimport 'node:timers'`,
      'projections/a.ts': `import type { EventStore } from '../src/event-store/event-store.ts'`,
      'src/cli/run.ts': `import '../app.ts'`,
      'src/app/read-side-thread.ts': 'await import(name)',
      'src/testing.ts': `export { decide } from './authority/decide.ts'\nexport type { A } from './shell/a.ts'`,
    })
    expect(unlawfulImports(root, LAW)).toEqual([])
  })
})

describe('the purity of the authority is broken by', () => {
  test.each([
    ['const t = Date.now()', 'Date'],
    ['const t = new Date(0)', 'Date'],
    ['const r = Math.random()', 'Math.random'],
    [`const r = Math['random']()`, 'Math.random'],
    ['const id = crypto.randomUUID()', 'crypto'],
    ['const t = performance.now()', 'performance'],
    ['setTimeout(f, 1)', 'setTimeout'],
    ['const p = process.pid', 'process'],
    ['const p = { process }', 'process'],
    ['console.log(1)', 'console'],
    ['type P = Promise<void>', 'Promise'],
    ['const f = async () => 1', 'an async function'],
    ['class A { async m() {} }', 'an async function'],
    ['await 1', 'await'],
    ['for await (const x of xs) f(x)', 'for await'],
    [`const d = import('zod')`, 'a dynamic import'],
    ['const u = import.meta.url', 'import.meta'],
    [`const o = 'a'.localeCompare('b')`, '.localeCompare'],
    ['const s = (1).toLocaleString()', '.toLocaleString'],
    ['const c = globalThis.x', 'globalThis'],
  ])('%s', (line, impurity) => {
    const root = tree({ 'src/authority/a.ts': `\n${line}` })
    expect(impurities(root, 'src/authority')).toContain(`src/authority/a.ts:2: ${impurity}`)
  })

  test('and not by the same words as members, in comments, in strings or in other rooms', () => {
    const root = tree({
      'src/authority/a.ts': `
        // Promise, await, Date.now()
        type Row = { process: string; readonly console: number }
        const row = { process: 'Date.now()', crypto: 1 }
        export const read = (operation: Row) => operation.process + row.crypto`,
      'src/runtime/clock.ts': 'export const now = () => Date.now()',
    })
    expect(impurities(root, 'src/authority')).toEqual([])
  })
})

describe('the code map', () => {
  const rooms = { 'src/shell/a.ts': '', 'src/app.ts': '', 'projections/a.ts': '', 'src/index.ts': '' }
  const rows = '| room | what |\n|---|---|\n| `src/shell` | x |\n| `src/app.ts` | x |\n'

  test('holds when it names each room once, and doors are no rooms', () => {
    const root = tree({
      ...rooms,
      'ARCHITECTURE.md': `# A\n## Code map\n${rows}| \`projections/\` | x |\n## More\n| \`src\` |`,
    })
    expect(codeMapDifferences(root, LAW)).toEqual([])
  })

  test('breaks when a room is missing, invented or named twice', () => {
    const root = tree({
      ...rooms,
      'ARCHITECTURE.md': `## Code map\n${rows}| \`src/http\` | x |\n| \`src/shell\` | x |\n`,
    })
    expect(codeMapDifferences(root, LAW)).toEqual([
      'ARCHITECTURE.md: the code map misses projections',
      'ARCHITECTURE.md: the code map names src/http, which does not exist',
      'ARCHITECTURE.md: the code map names src/shell twice',
    ])
  })

  test('breaks when the page or the section is not there', () => {
    expect(codeMapDifferences(tree(rooms), LAW)).toEqual(['ARCHITECTURE.md: is missing'])
    expect(codeMapDifferences(tree({ ...rooms, 'ARCHITECTURE.md': '# A' }), LAW)).toEqual([
      'ARCHITECTURE.md: has no section "## Code map" with a table of rooms',
    ])
  })
})

describe('file names', () => {
  test('that say nothing are found', () => {
    const files = ['src/shell/index.ts', 'test/helpers.ts', 'src/shell/types.ts', 'bench/utils.ts', 'src/common/a.ts']
    const root = tree(
      Object.fromEntries(['src/index.ts', 'src/shell/camelCase.ts', ...files].map((file) => [file, ''])),
    )
    expect(misnamedFiles(root)).toEqual([
      'bench/utils.ts: a file is named after what is in it',
      'src/common/a.ts: what two rooms share has a name of its own, not "common"',
      'src/shell/camelCase.ts: file names are kebab-case',
      'src/shell/index.ts: only src/index.ts is an index.ts',
      'src/shell/types.ts: a file is named after what is in it',
      'test/helpers.ts: a file is named after what is in it',
    ])
  })
})

describe('unfinished places', () => {
  test.each([
    ['// TODO: later', 'TODO'],
    ['/* FIXME */', 'FIXME'],
    ['// @ts-ignore', '@ts-ignore'],
    ['const a = b as any', 'a cast to any'],
    [`test.only('x', f)`, 'a test that runs alone (.only)'],
    [`describe.only.each([])('x', f)`, 'a test that runs alone (.only)'],
    [`it.skip('x', f)`, 'a test that does not run (.skip), without a comment that says why'],
    [`test.todo('x')`, 'a test that does not run (.todo), without a comment that says why'],
  ])('are found: %s', (line, breach) => {
    expect(unfinishedPlaces(tree({ 'test/a.test.ts': `\n${line}` }))).toEqual([`test/a.test.ts:2: ${breach}`])
  })

  test('are not found in strings, in explained skips or in calls that have nothing to do with tests', () => {
    const root = tree({
      'test/a.test.ts': `
        const text = 'TODO'
        // The server refuses this until its version 25.
        test.skip('x', f)
        stream.skip(1)`,
    })
    expect(unfinishedPlaces(root)).toEqual([])
  })
})

const treesToRemove: string[] = []

afterEach(() => {
  for (const root of treesToRemove.splice(0)) rmSync(root, { recursive: true })
})

/** A small house in a folder of its own, gone after the test. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(path.join(tmpdir(), 'verdict-house-'))
  treesToRemove.push(root)
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }
  return root
}
