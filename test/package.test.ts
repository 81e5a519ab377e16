import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { NODE_MAJOR_MIN } from '../src/cli/node-version.ts'

const HOUSE = path.resolve(import.meta.dirname, '..')
const BIN = path.join(HOUSE, 'node_modules', '.bin')

/** What the package holds beside the built program. */
const PAGES = ['LICENSE', 'NOTICE', 'README.md', 'package.json']

describe('the checkout', () => {
  test('runs its tests on Node 24, whichever Node the machine has', () => {
    expect(process.versions.node).toMatch(/^24\./)
  })

  test('has a lockfile that names no registry', () => {
    expect(readFileSync(path.join(HOUSE, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved"/)
  })

  test('installs better-sqlite3 without a compiler', () => {
    // npm 10 and early 11 forget the package's own `gypfile: false` when they install from a lockfile, and call node-gyp,
    // which needs Python and a compiler (npm/cli#9837). They honour the field in the lockfile, where `npm install` drops it.
    const { packages } = JSON.parse(readFileSync(path.join(HOUSE, 'package-lock.json'), 'utf8'))
    expect(
      packages['node_modules/better-sqlite3'],
      'add "gypfile": false to this entry of package-lock.json',
    ).toMatchObject({ gypfile: false })
  })
})

describe('the packed package', { timeout: 120_000 }, () => {
  let folder = ''
  let packed = ''

  // An empty TypeScript project with the packed package installed in it, and what comes with it: none of our own tools.
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'verdict-package-'))
    const source = path.join(folder, 'source')
    mkdirSync(source)
    succeed(HOUSE, path.join(BIN, 'tsc'), '-p', 'tsconfig.build.json', '--outDir', path.join(source, 'dist'))
    cpSync(path.join(HOUSE, 'dist/monitor'), path.join(source, 'dist/monitor'), { recursive: true })
    for (const file of PAGES) copyFileSync(path.join(HOUSE, file), path.join(source, file))
    const tarball = succeed(source, 'npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', folder).trim()

    const modules = path.join(folder, 'node_modules')
    for (const name of new Set([...modulesOfUsers(), ...optionalPeers(), '@types/node', 'undici-types'])) {
      mkdirSync(path.dirname(path.join(modules, name)), { recursive: true })
      symlinkSync(path.join(HOUSE, 'node_modules', name), path.join(modules, name))
    }
    succeed(folder, 'tar', '-xzf', tarball)
    packed = path.join(modules, 'verdict')
    renameSync(path.join(folder, 'package'), packed)
    writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
    // It compiles everything.
  }, 180_000)

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('holds the built program, its types, the monitor and the licence, and nothing else', () => {
    const files = readdirSync(packed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(packed, path.join(entry.parentPath, entry.name)))
    const isBuilt = (file: string) => /^dist\/(src|projections)\/.*\.(js|d\.ts)$/.test(file)
    const isOfMonitor = (file: string) => /^dist\/monitor\/(index\.html|assets\/[\w-]+\.(js|css|svg))$/.test(file)
    expect(files.filter((file) => !isBuilt(file) && !isOfMonitor(file)).sort()).toEqual(PAGES)
    expect(files.filter(isOfMonitor).length).toBeGreaterThan(3)
  })

  test('opens its doors', () => {
    writeFileSync(
      path.join(folder, 'doors.js'),
      `const doors = await Promise.all(${JSON.stringify(DOORS)}.map((door) => import(door)))
       console.log(doors.every((door) => Object.keys(door).length > 0))`,
    )
    expect(succeed(folder, path.join(BIN, 'node'), 'doors.js')).toBe('true\n')
  })

  test('has types that a strict project accepts', () => {
    writeFileSync(path.join(folder, 'doors.ts'), DOORS.map((door) => `import '${door}'\n`).join(''))
    expect(succeed(folder, path.join(BIN, 'tsc'), ...STRICT, '--types', 'node', 'doors.ts')).toBe('')
  })

  test('H10: runs the example of the README in an empty project, with its types', () => {
    const example = readFileSync(path.join(HOUSE, 'examples/quickstart.ts'), 'utf8')
    const installed = example.replace(/^(import .*) from '\.\.\/src\/index\.ts'.*$/m, "$1 from 'verdict'")
    expect(installed).toContain("from 'verdict'\n")
    writeFileSync(path.join(folder, 'quickstart.ts'), installed)
    const options = [...STRICT, '--lib', 'es2024,esnext.disposable', '--types', 'node']
    expect(succeed(folder, path.join(BIN, 'tsc'), ...options, 'quickstart.ts')).toBe('')
    expect(succeed(folder, path.join(BIN, 'node'), 'quickstart.ts')).toMatch(/^{ greeted: 3 }\n/)
  })

  test('H10: has a client that asks for the types of browsers only', () => {
    writeFileSync(path.join(folder, 'client.ts'), CLIENT)
    const options = ['--lib', 'es2024,esnext.disposable,dom,dom.iterable,dom.asynciterable', '--types', '']
    expect(succeed(folder, path.join(BIN, 'tsc'), ...STRICT, ...options, 'client.ts')).toBe('')
  })

  test('H10: has a client that loads neither the server nor anything native, and works', () => {
    writeFileSync(path.join(folder, 'loaded.js'), LOADED)
    const server = spawn(path.join(BIN, 'node'), [
      path.join(packed, 'dist/src/cli/main.js'),
      ...['serve', '--port', '0', '--json', '--data', path.join(folder, 'data')],
    ])
    onTestFinished(() => void server.kill('SIGKILL'))
    return once(createInterface({ input: server.stdout }), 'line').then(async ([line]) => {
      const { url } = JSON.parse(line)
      expect(await (await fetch(url)).text()).toContain('<title>Verdict</title>')
      expect(JSON.parse(succeed(folder, path.join(BIN, 'node'), 'loaded.js', url))).toEqual({
        result: 42,
        packages: ['verdict', 'zod'],
        builtIn: [],
      })
    })
  })

  test('names no source file that it does not carry', () => {
    // The compiler rewrites './x.ts' in imports, not in `new URL('./x.ts', import.meta.url)`.
    const built = readdirSync(path.join(packed, 'dist'), { recursive: true, withFileTypes: true })
    const naming = built.flatMap((entry) => {
      if (!entry.name.endsWith('.js')) return []
      const file = path.join(entry.parentPath, entry.name)
      return /['"]\.{1,2}\/[^'"]*\.ts['"]/.test(readFileSync(file, 'utf8')) ? [path.relative(packed, file)] : []
    })
    expect(naming).toEqual([])
  })

  test("has doors whose types name no other client's types", () => {
    // @eventstore/db-client brings types of its own for Node 16, which would meet the user's.
    const reached = declarationsFrom(path.join(packed, 'dist/src'), DOOR_FILES)
    expect(reached.filter((file) => readFileSync(file, 'utf8').includes('@eventstore/'))).toEqual([])
  })

  test('has a program that starts', () => {
    const program = path.join(packed, 'dist/src/cli/main.js')
    expect(readFileSync(program, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(succeed(folder, path.join(BIN, 'node'), program, '--help')).toContain('verdict run')
  })

  test('has a program that refuses an old Node with one sentence', () => {
    const program = path.join(packed, 'dist/src/cli/main.js')
    for (const { command, version } of [pretendedOldNode(), ...oldNodesOfThisMachine()]) {
      const [node = '', ...args] = command
      const { status, stdout, stderr } = spawnSync(node, [...args, program, '--help'], { encoding: 'utf8' })
      expect({ status, stdout, stderr }).toEqual({
        status: 1,
        stdout: '',
        stderr: `verdict needs Node 22 or later; this is Node ${version}.\n`,
      })
    }
  })
})

/** What the package exports, as its users name it. */
const EXPORTS: Readonly<Record<string, string | { readonly types: string }>> = JSON.parse(
  readFileSync(path.join(HOUSE, 'package.json'), 'utf8'),
).exports
const DOORS = Object.keys(EXPORTS)
  .filter((door) => !door.endsWith('.json'))
  .map((door) => door.replace(/^\./, 'verdict'))
const DOOR_FILES = Object.values(EXPORTS).flatMap((door) =>
  typeof door === 'string' ? [] : [path.basename(door.types)],
)

const STRICT = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024']

const CLIENT = `
import { connectVerdict, type LiveEvent, OperationFailed } from 'verdict/client'
const verdict = connectVerdict('http://localhost:8080', { apiKey: 'key' })
const handle = await verdict.start('export', { input: { n: 1 } }, ({ input, signal }) => (signal.aborted ? 0 : input.n))
const result: number = await handle.result()
const last: LiveEvent[] = []
for await (const event of verdict.events({ follow: false })) last.push(event)
export { last, OperationFailed, result }
`

/** Tells what was loaded for the client: packages, and what is built into Node. */
const LOADED = `
import { registerHooks } from 'node:module'
const loaded = []
registerHooks({ resolve: (specifier, context, next) => {
  const resolved = next(specifier, context)
  loaded.push({ url: resolved.url, from: context.parentURL })
  return resolved
} })
const { connectVerdict } = await import('verdict/client')
const verdict = connectVerdict(process.argv[2])
const result = await verdict.execute('k', {}, async () => 42)
await verdict.close()
const packages = loaded.flatMap(({ url }) => url.startsWith('file:') ? [/.*node_modules\\/([^/]+)/.exec(url)?.[1]] : [])
const builtIn = loaded.flatMap(({ url, from }) => url.startsWith('node:') && from !== undefined ? [url] : [])
console.log(JSON.stringify({ result, packages: [...new Set(packages)].sort(), builtIn }))
`

/** Packages that users of some doors install beside Verdict. */
function optionalPeers(): readonly string[] {
  return Object.keys(JSON.parse(readFileSync(path.join(HOUSE, 'package.json'), 'utf8')).peerDependencies)
}

/** The packages of the lockfile that come with Verdict, as opposed to those that it is developed with. */
function modulesOfUsers(): readonly string[] {
  const { packages } = JSON.parse(readFileSync(path.join(HOUSE, 'package-lock.json'), 'utf8'))
  return Object.entries<{ dev?: boolean }>(packages).flatMap(([place, { dev }]) =>
    // What lies inside another package's folder comes with that folder.
    place === '' || dev || place.lastIndexOf('node_modules/') > 0 ? [] : [place.replace('node_modules/', '')],
  )
}

/** These declarations and all that they import of ours, one from another. */
function declarationsFrom(folder: string, doors: readonly string[]): readonly string[] {
  const reached = new Set(doors.map((door) => path.join(folder, door)).filter(existsSync))
  for (const file of reached) {
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(
      /(?:from|import\() ?['"](\.[^'"]+)\.[jt]s['"]/g,
    )) {
      reached.add(path.join(path.dirname(file), `${specifier}.d.ts`))
    }
  }
  return [...reached]
}

/** Runs a command and gives its output; a failure is thrown with all that it said. */
function succeed(cwd: string, command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} in ${cwd} failed: ${error ?? ''}${stdout}${stderr}`)
  return stdout
}

type OldNode = { readonly command: readonly string[]; readonly version: string }

/** Our Node, made to say that it is an old one. It still parses more than an old one would. */
function pretendedOldNode(): OldNode {
  const pretend = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '18.0.0' })`
  return { command: [path.join(BIN, 'node'), '--import', pretend], version: '18.0.0' }
}

/** The Nodes on the PATH, outside this checkout, that really are older than the program allows; most machines have none. */
function oldNodesOfThisMachine(): readonly OldNode[] {
  return (process.env.PATH ?? '').split(path.delimiter).flatMap((folder) => {
    const node = path.join(folder, 'node')
    if (folder.includes('node_modules') || !existsSync(node)) return []
    const version = succeed(HOUSE, node, '-p', 'process.versions.node').trim()
    return Number.parseInt(version, 10) < NODE_MAJOR_MIN ? [{ command: [node], version }] : []
  })
}
