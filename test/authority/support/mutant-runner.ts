/**
 * How Stryker runs the tests of the authority: in a process that is started once for many mutants. Sources and tests are loaded
 * with all mutants in them, asleep; one is woken, and the tests that reach it are run until one fails, those that killed lately
 * first. What a mutant changes while it is loaded is loaded anew, under another address.
 *
 *     init (load) -> dryRun (which test reaches what) -> mutantRun, mutantRun, ...
 */
import { globSync } from 'node:fs'
import path from 'node:path'
import { INSTRUMENTER_CONSTANTS, type InstrumenterContext } from '@stryker-mutator/api/core'
import { declareFactoryPlugin, PluginKind } from '@stryker-mutator/api/plugin'
import {
  type DryRunResult,
  DryRunStatus,
  determineHitLimitReached,
  type MutantRunOptions,
  type MutantRunResult,
  MutantRunStatus,
  type TestResult,
  type TestRunner,
  TestStatus,
} from '@stryker-mutator/api/test-runner'
import fc from 'fast-check'
import { hookLoading, type Loading, load, sourcesNeededBy } from './mutant-loading.ts'
import { takeTests } from './plain-tests.ts'

/**
 * Searches, at random or through all that can happen, and what starts the whole product: mutants die by the rules that are named one
 * by one, in little time and the same each time.
 */
const FILES_LEFT_OUT = ['exploration.test.ts', 'properties.test.ts', 'operation-life.test.ts']
const TITLES_LEFT_OUT = [
  'after any changes',
  'a version that was given out',
  'every item keeps its place',
  'whatever is sent',
  'in any history',
  'live operations, within one append',
  'in the embedded product',
  'hundred thousand entries',
]
/** What is still tried at random is tried with the same values in each run. */
const SEED = 1
/** What killed one mutant often kills those beside it. */
const RECENT_KILLERS_MAX = 12

/** Asleep, as everything is loaded first. No mutant has such a name: they are numbered. */
const FIRST: Loading = { sources: 'first', tests: 'first' }
/** What happens for a file before its first test, told as if it were a test: its sources are loaded, then it is itself. */
const SOURCES = 'loading its sources'
const TABLES = 'making its tests'

type Tests = ReadonlyMap<string, () => unknown>

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, 'one-process', oneProcessRunner)]

function oneProcessRunner(): TestRunner {
  const files = globSync('test/authority/*.test.ts')
    .filter((file) => !FILES_LEFT_OUT.includes(path.basename(file)))
    .sort()
  const asleep = new Map<string, Tests>()
  let recentKillers: readonly string[] = []

  /** Whose test failed, and with what, of those that the filter names; all of a file that was changed by being loaded. */
  async function firstFailure(
    mutant: string,
    filter: ReadonlySet<string>,
  ): Promise<{ readonly count: number; readonly killer?: string; readonly message?: string }> {
    let count = 0
    const loadedAnew = new Map<string, Tests>()
    const attempt = async (file: string, only?: string) => {
      const hasNewSources = filter.has(`${file} > ${SOURCES}`)
      const isNew = hasNewSources || filter.has(`${file} > ${TABLES}`)
      try {
        if (isNew && !loadedAnew.has(file)) {
          const sources = hasNewSources ? mutant : FIRST.sources
          loadedAnew.set(file, await testsOf(file, { sources, tests: mutant }))
        }
      } catch (error) {
        return { count, killer: `${file} > ${hasNewSources ? SOURCES : TABLES}`, message: String(error) }
      }
      for (const [id, run] of (isNew ? loadedAnew : asleep).get(file) ?? []) {
        if (only !== undefined ? id !== only : !isNew && !filter.has(id)) continue
        count++
        const message = await failureOf(run)
        if (message !== undefined) return { count, killer: id, message }
      }
      return undefined
    }
    for (const killer of recentKillers) {
      const file = killer.slice(0, killer.indexOf(' > '))
      const failed = reaches(filter, file, killer) ? await attempt(file, killer) : undefined
      if (failed !== undefined) return failed
    }
    for (const file of files) {
      const failed = await attempt(file)
      if (failed !== undefined) return failed
    }
    return { count }
  }

  return {
    capabilities: () => ({ reloadEnvironment: true }),

    async init() {
      fc.configureGlobal({ seed: SEED })
      hookLoading(process.cwd())
      // First, so that what is reached by the files below is reached by themselves.
      for (const source of globSync('src/authority/*.ts')) await load(source, FIRST)
      for (const file of files) {
        namespace().currentTestId = `${file} > ${TABLES}`
        asleep.set(file, await testsOf(file, FIRST))
      }
    },

    async dryRun(): Promise<DryRunResult> {
      const tests: TestResult[] = []
      for (const [fileName, ofFile] of asleep) {
        const loading = async () => {
          for (const source of sourcesNeededBy(fileName)) await load(source, { ...FIRST, sources: fileName })
        }
        const before: Tests = new Map([
          [`${fileName} > ${SOURCES}`, loading],
          [`${fileName} > ${TABLES}`, () => {}],
        ])
        for (const [id, run] of [...before, ...ofFile]) {
          namespace().currentTestId = id
          const startedAt = performance.now()
          const failureMessage = await failureOf(run)
          const result = { id, name: id, fileName, timeSpentMs: performance.now() - startedAt }
          tests.push(
            failureMessage === undefined
              ? { ...result, status: TestStatus.Success }
              : { ...result, status: TestStatus.Failed, failureMessage },
          )
        }
      }
      // What is reached by loading sources stands among the tests of each file that needs them.
      return {
        status: DryRunStatus.Complete,
        tests,
        mutantCoverage: { static: {}, perTest: namespace().mutantCoverage?.perTest ?? {} },
      }
    },

    async mutantRun({ activeMutant, testFilter, hitLimit }: MutantRunOptions): Promise<MutantRunResult> {
      Object.assign(namespace(), { currentTestId: undefined, activeMutant: activeMutant.id, hitCount: 0, hitLimit })
      const { count, killer, message } = await firstFailure(activeMutant.id, new Set(testFilter))
      const endless = determineHitLimitReached(namespace().hitCount, hitLimit)
      if (endless !== undefined) return { ...endless, status: MutantRunStatus.Timeout }
      if (killer === undefined) return { status: MutantRunStatus.Survived, nrOfTests: count }
      recentKillers = [killer, ...recentKillers.filter((one) => one !== killer)].slice(0, RECENT_KILLERS_MAX)
      return { status: MutantRunStatus.Killed, killedBy: [killer], failureMessage: message ?? '', nrOfTests: count }
    },
  }
}

function reaches(filter: ReadonlySet<string>, file: string, test: string): boolean {
  return [test, `${file} > ${SOURCES}`, `${file} > ${TABLES}`].some((one) => filter.has(one))
}

async function testsOf(file: string, loading: Loading): Promise<Tests> {
  takeTests()
  await load(file, loading)
  const told = takeTests().filter(({ title }) => !TITLES_LEFT_OUT.some((one) => title.includes(one)))
  return new Map(told.map(({ title, run }) => [`${file} > ${title}`, run]))
}

async function failureOf(run: () => unknown): Promise<string | undefined> {
  try {
    await run()
    return undefined
  } catch (error) {
    return String(error)
  }
}

/** Where the mutants look who is awake, and tell that they were reached. */
function namespace(): InstrumenterContext {
  const scope = globalThis as unknown as Record<string, InstrumenterContext | undefined>
  const found = scope[INSTRUMENTER_CONSTANTS.NAMESPACE] ?? {}
  scope[INSTRUMENTER_CONSTANTS.NAMESPACE] = found
  return found
}
