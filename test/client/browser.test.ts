import path from 'node:path'
import vm from 'node:vm'
import { rolldown } from 'rolldown'
import { beforeAll, describe, expect, test } from 'vitest'
import { served } from '../http/support/served.ts'

const HOUSE = path.resolve(import.meta.dirname, '../..')

/** The door `./client` as a bundler makes it for a browser, and what went into it. */
interface Bundled {
  readonly code: string
  readonly imports: readonly string[]
  readonly modules: readonly string[]
  readonly warnings: readonly string[]
}

let bundled: Bundled

beforeAll(async () => {
  const warnings: string[] = []
  const bundle = await rolldown({
    input: path.join(HOUSE, 'src/client.ts'),
    platform: 'browser',
    onLog: (_level, { message }) => void warnings.push(message),
  })
  const { output } = await bundle.generate({ format: 'iife', name: 'verdict' })
  const [{ code, imports, dynamicImports, modules }] = output
  bundled = {
    code,
    warnings,
    imports: [...imports, ...dynamicImports],
    modules: Object.keys(modules).map((file) => path.relative(HOUSE, file)),
  }
})

describe('H10: the client alone', () => {
  test('imports nothing of Node, of the server, of the log or of any other package but its schemas', () => {
    expect(bundled.warnings).toEqual([])
    expect(bundled.imports).toEqual([])
    const packages = bundled.modules.flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [])
    expect([...new Set(packages)]).toEqual(['zod'])
    const rooms = bundled.modules.flatMap((file) => /^src\/([^/]+)\//.exec(file)?.[1] ?? [])
    expect([...new Set(rooms)].sort()).toEqual(['authority', 'client', 'runtime', 'wire'])
    expect(bundled.modules.filter((file) => /operation-machine|decide|evolve/.test(file))).toEqual([])
  })

  test('runs where there is nothing but what browsers have', async () => {
    const { url } = await served()
    const { AbortController, AbortSignal, TextDecoder, TextEncoder, URL, URLSearchParams } = globalThis
    const { clearInterval, clearTimeout, console, crypto, fetch, performance, queueMicrotask } = globalThis
    const browser = vm.createContext({
      ...{ AbortController, AbortSignal, TextDecoder, TextEncoder, URL, URLSearchParams },
      ...{ clearInterval, clearTimeout, console, crypto, fetch, performance, queueMicrotask },
      // A number, as in browsers.
      setTimeout: (call: () => void, ms: number) => Number(setTimeout(call, ms)),
      url,
    })
    const program = `${bundled.code};(async () => {
      const connected = verdict.connectVerdict(url)
      const handle = await connected.start('k', { id: 'a' }, async ({ phase }) => phase('one', () => 41 + 1))
      const result = await handle.result()
      const types = []
      for await (const { type } of connected.events({ operation: 'a', follow: false })) types.push(type)
      await connected.close()
      return JSON.stringify({ result, first: types[0] })
    })()`
    expect(JSON.parse(await vm.runInContext(program, browser))).toEqual({
      result: 42,
      first: 'verdict.operation.registered',
    })
  })
})
