/**
 * Loading sources and tests of a folder more than once in one process: under addresses that say which time it is
 * (`decide.ts?sources=7&tests=9`), with Vitest's words replaced by plain ones.
 */
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Which time; the same one is loaded once. */
export interface Loading {
  readonly sources: string
  readonly tests: string
}

const PLAIN_TESTS = new URL('plain-tests.ts', import.meta.url).href

/** Which sources a file imports, whatever the time: by address without it. */
const imports = new Map<string, Set<string>>()

/** For the process and for good. A source keeps to the time of who imports it, whatever the time of the tests. */
export function hookLoading(folder: string): void {
  const sources = pathToFileURL(path.join(folder, 'src/authority/')).href
  const tests = pathToFileURL(path.join(folder, 'test/authority/')).href
  const stripped = new Map<string, string>()
  registerHooks({
    resolve(specifier, context, next) {
      const parent = context.parentURL ?? ''
      if (!parent.startsWith(sources) && !parent.startsWith(tests)) return next(specifier, context)
      if (specifier === 'vitest') return { url: PLAIN_TESTS, format: 'module-typescript', shortCircuit: true }
      const resolved = next(specifier, context)
      const [importing = ''] = parent.split('?')
      imports.set(importing, (imports.get(importing) ?? new Set()).add(resolved.url))
      const times = new URL(parent).searchParams
      if (resolved.url.startsWith(sources)) times.delete('tests')
      else if (!resolved.url.startsWith(tests)) return resolved
      return { ...resolved, url: `${resolved.url}?${times}` }
    },
    load(url, context, next) {
      const [file = ''] = url.split('?')
      if (!file.startsWith(sources) && !file.startsWith(tests)) return next(url, context)
      // Stripping types takes longer than all the rest.
      const source = stripped.get(file) ?? stripTypeScriptTypes(readFileSync(fileURLToPath(file), 'utf8'))
      stripped.set(file, source)
      return { format: 'module', source, shortCircuit: true }
    },
  })
}

export async function load(file: string, { sources, tests }: Loading): Promise<void> {
  const url = pathToFileURL(path.resolve(file)).href
  await import(file.startsWith('src/') ? `${url}?sources=${sources}` : `${url}?sources=${sources}&tests=${tests}`)
}

/** Every source that a file needs which was loaded before, at any remove. */
export function sourcesNeededBy(file: string): readonly string[] {
  const found = new Set([pathToFileURL(path.resolve(file)).href])
  // A set that grows while it is walked is walked to its end.
  for (const one of found) for (const imported of imports.get(one) ?? []) found.add(imported)
  const sources = pathToFileURL(path.resolve('src/')).href
  return [...found].filter((url) => url.startsWith(sources)).map((url) => path.relative('.', fileURLToPath(url)))
}
