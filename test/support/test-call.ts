import { isSyntaxNode, nameOf, placedNodes, type SourceFile, textOf } from './source-file.ts'

/** A test function as it is called: `test.concurrent.each` is `test` with the modifiers `concurrent` and `each`. */
export type TestFunction = { readonly name: 'test' | 'it' | 'describe'; readonly modifiers: readonly string[] }

/** Reads the expression before the parentheses of a test; undefined for everything that is not vitest's. */
export function testFunctionOf(value: unknown): TestFunction | undefined {
  if (!isSyntaxNode(value)) return undefined
  if (value.type === 'CallExpression') return testFunctionOf(value.callee)
  if (value.type === 'MemberExpression') {
    const inner = testFunctionOf(value.object)
    return inner && { ...inner, modifiers: [...inner.modifiers, nameOf(value.property) ?? ''] }
  }
  const name = value.type === 'Identifier' ? nameOf(value) : undefined
  return name === 'test' || name === 'it' || name === 'describe' ? { name, modifiers: [] } : undefined
}

/** The titles, as they are written, of the tests of a file that are not skipped. */
export function testTitles(file: SourceFile): readonly string[] {
  return [...placedNodes(file.program)].flatMap(({ node }) => {
    if (node.type !== 'CallExpression') return []
    const called = testFunctionOf(node.callee)
    if (called === undefined || called.name === 'describe') return []
    if (called.modifiers.includes('skip') || called.modifiers.includes('todo')) return []
    const title = Array.isArray(node.arguments) ? textOf(node.arguments[0]) : undefined
    return title === undefined ? [] : [title]
  })
}
