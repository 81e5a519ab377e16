import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import {
  filesBelow,
  type Import,
  isSyntaxNode,
  nameOf,
  type Placed,
  placedNodes,
  type SourceFile,
  type SyntaxNode,
  sourceFiles,
} from './source-file.ts'
import { testFunctionOf } from './test-call.ts'

/**
 * The walls of the house. Each function looks at one tree of sources and returns what breaks its wall, one sentence for
 * each breach, beginning with the place; an empty list means that the wall stands.
 */

/** What one room may import, beside itself: rooms and single files of ours, npm packages, and Node's own modules. */
export type RoomLaw = {
  readonly imports: readonly string[]
  /** Rooms and files of which only types may be imported. */
  readonly importsTypesOf?: readonly string[]
  readonly packages: readonly string[]
  readonly node: boolean
  /** It may import modules that users name. */
  readonly importsAtRunTime?: boolean
}

export type ImportLaw = {
  readonly rooms: Readonly<Record<string, RoomLaw>>
  /** The package's entry files: they re-export from any room, and nothing inside the house imports them. */
  readonly doors: readonly string[]
}

const PRODUCT_FOLDERS = ['src', 'projections']
const ALL_FOLDERS = ['src', 'projections', 'test', 'bench', 'examples']

/** Wall: no circle of imports, types included. */
export function importCircles(root: string): readonly string[] {
  const files = sourceFiles(root, PRODUCT_FOLDERS)
  const targetsOf = new Map(
    files.map((file) => [file.path, file.imports.flatMap((one) => (one.kind === 'file' ? [one.path] : []))]),
  )
  const breaches: string[] = []
  const told = new Set<string>()
  for (const { path: start } of files) {
    if (told.has(start)) continue
    const circle = shortestWay(start, start, targetsOf)
    if (circle === undefined) continue
    for (const file of circle) told.add(file)
    breaches.push(`${start}: imports itself in a circle: ${circle.join(' -> ')}`)
  }
  return breaches
}

function shortestWay(from: string, to: string, targetsOf: ReadonlyMap<string, readonly string[]>) {
  const cameFrom = new Map<string, string>()
  const queue = [from]
  for (const file of queue) {
    for (const target of targetsOf.get(file) ?? []) {
      if (cameFrom.has(target)) continue
      cameFrom.set(target, file)
      queue.push(target)
    }
  }
  if (!cameFrom.has(to)) return undefined
  const way = [to]
  do way.unshift(cameFrom.get(way[0] ?? to) ?? from)
  while (way[0] !== from)
  return way
}

/** Wall: the import table. */
export function unlawfulImports(root: string, law: ImportLaw): readonly string[] {
  return sourceFiles(root, PRODUCT_FOLDERS).flatMap((file) => {
    if (law.doors.includes(file.path)) return breachesOfDoor(file)
    const room = roomOf(file.path, law)
    const roomLaw = law.rooms[room]
    if (roomLaw === undefined) return [`${file.path}: ${room} is no room of the import table`]
    return file.imports.flatMap((one) => {
      const breach = breachOf(one, room, roomLaw, law)
      return breach === undefined ? [] : [`${file.path}:${one.line}: ${breach}`]
    })
  })
}

/** The room a file lives in: itself where the law names it, else a folder under src/, a file directly in src/, or projections. */
export function roomOf(file: string, { rooms }: ImportLaw): string {
  if (Object.hasOwn(rooms, file)) return file
  return file.startsWith('src/') ? file.split('/', 2).join('/') : (file.split('/', 1)[0] ?? file)
}

function breachesOfDoor(file: SourceFile): readonly string[] {
  const body = Array.isArray(file.program.body) ? file.program.body.filter(isSyntaxNode) : []
  return body
    .filter((statement) => !(statement.type.startsWith('Export') && isSyntaxNode(statement.source)))
    .map((statement) => `${file.path}:${file.lineAt(statement.start)}: a door only re-exports`)
}

function breachOf(one: Import, room: string, roomLaw: RoomLaw, law: ImportLaw): string | undefined {
  switch (one.kind) {
    case 'opaque':
      return roomLaw.importsAtRunTime ? undefined : 'imports a module whose name is only known at run time'
    case 'node':
      return roomLaw.node ? undefined : `${room} may not import ${one.name}`
    case 'package':
      return roomLaw.packages.includes(one.name) ? undefined : `${room} may not import the package ${one.name}`
    case 'file': {
      if (law.doors.includes(one.path)) return `${room} imports the door ${one.path}; doors are for the world outside`
      if (isWithin(one.path, [room, ...roomLaw.imports])) return undefined
      if (!isWithin(one.path, roomLaw.importsTypesOf ?? [])) return `${room} may not import ${one.path}`
      return one.typeOnly ? undefined : `${room} may import only types of ${one.path}`
    }
    default:
      return one satisfies never
  }
}

function isWithin(file: string, places: readonly string[]): boolean {
  return places.some((place) => file === place || file.startsWith(`${place}/`))
}

/** Names that reach a clock, a random source, the process, the outside or another turn of the event loop. */
const IMPURE_NAMES = new Set([
  'Atomics',
  'Buffer',
  'Date',
  'FinalizationRegistry',
  'Intl',
  'Promise',
  'Temporal',
  'WeakRef',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'fetch',
  'global',
  'globalThis',
  'performance',
  'process',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
])

/** Wall: a room whose code must replay the same for ever. Its imports are the import table's business. */
export function impurities(root: string, room: string): readonly string[] {
  return sourceFiles(root, [room]).flatMap((file) =>
    [...placedNodes(file.program)].flatMap((placed) => {
      const impurity = impurityOf(placed)
      return impurity === undefined ? [] : [`${file.path}:${file.lineAt(placed.node.start)}: ${impurity}`]
    }),
  )
}

function impurityOf({ node, parent, field }: Placed): string | undefined {
  if (node.async === true) return 'an async function'
  switch (node.type) {
    case 'AwaitExpression':
      return 'await'
    case 'ForOfStatement':
      return node.await === true ? 'for await' : undefined
    case 'ImportExpression':
      return 'a dynamic import'
    case 'MetaProperty':
      return nameOf(node.meta) === 'import' ? 'import.meta' : undefined
    case 'MemberExpression': {
      const member = nameOf(node.property) ?? ''
      if (nameOf(node.object) === 'Math' && member === 'random') return 'Math.random'
      // What these answer depends on the locale of the machine.
      return /^(localeCompare|toLocale\w+)$/.test(member) ? `.${member}` : undefined
    }
    case 'Identifier': {
      const name = nameOf(node) ?? ''
      return IMPURE_NAMES.has(name) && !isMemberName(parent, field) ? name : undefined
    }
    default:
      return undefined
  }
}

/** Whether an identifier in this place names a member of something (`operation.process`) and not a thing in scope. */
function isMemberName(parent: SyntaxNode | undefined, field: string): boolean {
  if (parent === undefined || parent.computed === true) return false
  return (
    (field === 'property' && parent.type === 'MemberExpression') ||
    (field === 'key' && parent.shorthand !== true) ||
    (field === 'right' && parent.type === 'TSQualifiedName') ||
    (field === 'imported' && parent.type === 'ImportSpecifier')
  )
}

/** Wall: names of files say what is in them. */
export function misnamedFiles(root: string): readonly string[] {
  return filesBelow(root, ALL_FOLDERS).flatMap((file) => {
    const base = path.posix.basename(file)
    if (base === 'index.ts' && file !== 'src/index.ts') return [`${file}: only src/index.ts is an index.ts`]
    if (/^(types|utils|helpers)\.[cm]?[jt]s$/.test(base)) return [`${file}: a file is named after what is in it`]
    if (file.split('/').includes('common')) return [`${file}: what two rooms share has a name of its own, not "common"`]
    if (/\.tsx?$/.test(base) && !/^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.config)?\.tsx?$/.test(base)) {
      return [`${file}: file names are kebab-case`]
    }
    return []
  })
}

/** Wall: nothing unfinished, nothing silenced, no test left out without a word. */
export function unfinishedPlaces(root: string): readonly string[] {
  return sourceFiles(root, ALL_FOLDERS).flatMap((file) => [
    ...file.comments.flatMap((comment) => {
      const mark = /\b(TODO|FIXME)\b|@ts-(ignore|nocheck)\b/.exec(comment.text)?.[0]
      return mark === undefined ? [] : [`${file.path}:${comment.lineFirst}: ${mark}`]
    }),
    ...[...placedNodes(file.program)].flatMap(({ node }) => {
      const breach = unfinishedNode(node, file)
      return breach === undefined ? [] : [`${file.path}:${file.lineAt(node.start)}: ${breach}`]
    }),
  ])
}

function unfinishedNode(node: SyntaxNode, file: SourceFile): string | undefined {
  if (node.type === 'TSAsExpression' || node.type === 'TSTypeAssertion') {
    const isAny = isSyntaxNode(node.typeAnnotation) && node.typeAnnotation.type === 'TSAnyKeyword'
    return isAny ? 'a cast to any' : undefined
  }
  if (node.type !== 'MemberExpression' || testFunctionOf(node.object) === undefined) return undefined
  const line = file.lineAt(node.start)
  const isExplained = file.comments.some((comment) => comment.lineFirst <= line && comment.lineLast >= line - 1)
  switch (nameOf(node.property)) {
    case 'only':
      return 'a test that runs alone (.only)'
    case 'skip':
    case 'todo':
      return isExplained
        ? undefined
        : `a test that does not run (.${nameOf(node.property)}), without a comment that says why`
    default:
      return undefined
  }
}

/** Wall: the code map of ARCHITECTURE.md has one row for each room that exists, and no other. */
export function codeMapDifferences(root: string, law: ImportLaw): readonly string[] {
  const page = path.join(root, 'ARCHITECTURE.md')
  if (!existsSync(page)) return ['ARCHITECTURE.md: is missing']
  const mapped = codeMapRooms(readFileSync(page, 'utf8'))
  if (mapped.length === 0) return ['ARCHITECTURE.md: has no section "## Code map" with a table of rooms']

  const existing = new Set(
    filesBelow(root, PRODUCT_FOLDERS)
      .filter((file) => !law.doors.includes(file))
      .map((file) => roomOf(file, law)),
  )
  return [
    ...[...existing]
      .filter((room) => !mapped.includes(room))
      .map((room) => `ARCHITECTURE.md: the code map misses ${room}`),
    ...mapped.flatMap((room, index) => {
      if (!existing.has(room)) return [`ARCHITECTURE.md: the code map names ${room}, which does not exist`]
      return mapped.indexOf(room) === index ? [] : [`ARCHITECTURE.md: the code map names ${room} twice`]
    }),
  ]
}

/** The first cells, in backticks, of the table rows in the section "## Code map". */
function codeMapRooms(markdown: string): readonly string[] {
  const section = markdown.split(/^(?=## )/m).find((part) => /^## Code map\s*$/m.test(part.split('\n', 1)[0] ?? ''))
  return [...(section ?? '').matchAll(/^\|\s*`([^`]+?)\/?`\s*\|/gm)].map((match) => match[1] ?? '')
}
