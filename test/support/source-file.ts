import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import path from 'node:path'
import { parseSync } from 'vite'

/** One parsed source file. `path` is relative to the tree's root, with forward slashes. */
export type SourceFile = {
  readonly path: string
  readonly program: SyntaxNode
  readonly comments: readonly Comment[]
  readonly imports: readonly Import[]
  /** The line, counted from 1, of a character offset. */
  readonly lineAt: (offset: number) => number
}

/** A syntax node as the parser gives it (ESTree with TypeScript's nodes); what a kind holds is read where it is needed. */
export type SyntaxNode = { readonly type: string; readonly start: number; readonly [field: string]: unknown }

export type Comment = { readonly text: string; readonly lineFirst: number; readonly lineLast: number }

/** `file`: a path in the tree, whether or not it is there. `opaque`: a module name that is computed at run time. */
export type Import = { readonly line: number; readonly typeOnly: boolean } & (
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'package'; readonly name: string }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'opaque' }
)

/** Every TypeScript and JavaScript file below the given folders of `root`, parsed, in the order of their paths. */
export function sourceFiles(root: string, folders: readonly string[]): readonly SourceFile[] {
  return filesBelow(root, folders)
    .filter((file) => /\.([cm]?[jt]s|tsx)$/.test(file))
    .map((file) => parseSource(file, readFileSync(path.join(root, file), 'utf8')))
}

/** Every file below the given folders of `root`; a folder that does not exist holds none. */
export function filesBelow(root: string, folders: readonly string[]): readonly string[] {
  const found: string[] = []
  for (const folder of folders) {
    for (const entry of entriesOf(path.join(root, folder))) {
      if (entry.isFile()) found.push(path.relative(root, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    }
  }
  return found.sort()
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

export function parseSource(file: string, text: string): SourceFile {
  const parsed = parseSync(file, text, { sourceType: 'module' })
  if (parsed.errors.length > 0) throw new Error(`${file} could not be parsed: ${parsed.errors[0]?.message}`)

  const lineStarts = [0, ...[...text.matchAll(/\n/g)].map((match) => match.index + 1)]
  const lineAt = (offset: number) => lineStarts.findLastIndex((start) => start <= offset) + 1

  // The parser's own types name some 200 kinds; the walls look at a dozen of them, by their `type`.
  const program = parsed.program as unknown as SyntaxNode
  const comments = parsed.comments.map((comment) => ({
    text: comment.value,
    lineFirst: lineAt(comment.start),
    lineLast: lineAt(comment.end),
  }))
  return { path: file, program, comments, imports: importsOf(file, program, lineAt), lineAt }
}

/** A node with the node that holds it and the field it stands in. */
export type Placed = { readonly node: SyntaxNode; readonly parent: SyntaxNode | undefined; readonly field: string }

/** All nodes below and including `node`, parents first. */
export function* placedNodes(node: SyntaxNode, parent?: SyntaxNode, field = ''): Generator<Placed> {
  yield { node, parent, field }
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isSyntaxNode(child)) yield* placedNodes(child, node, name)
    }
  }
}

export function isSyntaxNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}

/** The name that an identifier or the text that a string literal carries; undefined for every other node. */
export function nameOf(value: unknown): string | undefined {
  if (isSyntaxNode(value) && value.type === 'Identifier' && typeof value.name === 'string') return value.name
  return textOf(value)
}

/** The text of a string literal, quoted or between backticks without substitutions; undefined for every other node. */
export function textOf(value: unknown): string | undefined {
  if (!isSyntaxNode(value)) return undefined
  if (value.type === 'Literal' && typeof value.value === 'string') return value.value
  if (value.type !== 'TemplateLiteral' || !Array.isArray(value.quasis) || value.quasis.length !== 1) return undefined
  return value.quasis[0].value.cooked
}

function importsOf(file: string, program: SyntaxNode, lineAt: (offset: number) => number): readonly Import[] {
  const imports: Import[] = []
  for (const { node } of placedNodes(program)) {
    const target = importTarget(node)
    if (target === undefined) continue
    const place = { line: lineAt(node.start), typeOnly: isTypeOnly(node) }
    imports.push({ ...place, ...resolve(file, target.specifier) })
  }
  return imports
}

/** Every form in which one module names another: static, re-exported, dynamic, as a type, required, or as a URL beside it. */
function importTarget(node: SyntaxNode): { readonly specifier: string | undefined } | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return isSyntaxNode(node.source) ? { specifier: textOf(node.source) } : undefined
    case 'ImportExpression':
    case 'TSImportType':
      return { specifier: textOf(node.source) }
    case 'CallExpression':
      return nameOf(node.callee) === 'require' ? { specifier: textOf(argumentsOf(node)[0]) } : undefined
    case 'NewExpression': {
      // `new Worker(new URL('./thread.ts', import.meta.url))` starts another of our modules.
      const [target, base] = argumentsOf(node)
      const besideThis = isSyntaxNode(base) && base.type === 'MemberExpression' && nameOf(base.property) === 'url'
      const specifier = textOf(target)
      const isModule = specifier !== undefined && /\.[cm]?[jt]s$/.test(specifier)
      return nameOf(node.callee) === 'URL' && besideThis && isModule ? { specifier } : undefined
    }
    default:
      return undefined
  }
}

function argumentsOf(node: SyntaxNode): readonly unknown[] {
  return Array.isArray(node.arguments) ? node.arguments : []
}

function isTypeOnly(node: SyntaxNode): boolean {
  if (node.type === 'TSImportType' || node.importKind === 'type' || node.exportKind === 'type') return true
  const specifiers = Array.isArray(node.specifiers) ? node.specifiers.filter(isSyntaxNode) : []
  return specifiers.length > 0 && specifiers.every((one) => one.importKind === 'type' || one.exportKind === 'type')
}

function resolve(file: string, specifier: string | undefined) {
  if (specifier === undefined) return { kind: 'opaque' } as const
  if (specifier.startsWith('.')) {
    return { kind: 'file', path: path.posix.join(path.posix.dirname(file), specifier) } as const
  }
  if (isBuiltin(specifier)) return { kind: 'node', name: specifier } as const
  const [first = '', second = ''] = specifier.split('/')
  return { kind: 'package', name: first.startsWith('@') ? `${first}/${second}` : first } as const
}
