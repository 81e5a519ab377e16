import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
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
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

describe('the packed package', () => {
  let folder = ''
  let packed = ''

  // An empty TypeScript project with the packed package installed in it, and what comes with it: none of our own tools.
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'verdict-package-'))
    const source = path.join(folder, 'source')
    mkdirSync(source)
    succeed(HOUSE, path.join(BIN, 'tsc'), '-p', 'tsconfig.build.json', '--outDir', path.join(source, 'dist'))
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
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('holds the built program, its types and the licence, and nothing else', () => {
    const files = readdirSync(packed, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(packed, path.join(entry.parentPath, entry.name)))
    expect(files.filter((file) => !/^dist\/(src|projections)\/.*\.(js|d\.ts)$/.test(file)).sort()).toEqual(PAGES)
  })

  test('opens its doors', () => {
    writeFileSync(
      path.join(folder, 'doors.js'),
      `const doors = await Promise.all([import('verdict'), import('verdict/bullmq'), import('verdict/projections'), import('verdict/testing')])
       console.log(doors.map((door) => Object.keys(door).length > 0))`,
    )
    expect(succeed(folder, path.join(BIN, 'node'), 'doors.js')).toBe('[ true, true, true, true ]\n')
  })

  test('has types that a strict project accepts', () => {
    writeFileSync(
      path.join(folder, 'doors.ts'),
      `import 'verdict'\nimport 'verdict/bullmq'\nimport 'verdict/projections'\nimport 'verdict/testing'\n`,
    )
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node']
    expect(succeed(folder, path.join(BIN, 'tsc'), ...options, 'doors.ts')).toBe('')
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
    const reached = declarationsFrom(path.join(packed, 'dist/src'), [
      'index.d.ts',
      'bullmq.d.ts',
      'projections.d.ts',
      'testing.d.ts',
    ])
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
