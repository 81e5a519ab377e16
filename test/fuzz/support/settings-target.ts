/**
 * What people write at a desk: configuration files, environment, command lines, durations, files of keys, addresses; and what queues keep of
 * jobs. Any text is what it says or refused in a sentence that shows no password; nothing else is thrown.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { effectivePolicies } from '../../../src/app/open-options.ts'
import { runOptionsOf } from '../../../src/cli/run-options.ts'
import { configurationIn, servePlan } from '../../../src/cli/serve-options.ts'
import { writtenDuration } from '../../../src/client/durations.ts'
import { birthIn, jobOf, operationIdOf, startIn } from '../../../src/client/queue-job.ts'
import { settingsOf } from '../../../src/config.ts'
import { assertAddress, withoutPassword } from '../../../src/event-store/eventstoredb-address.ts'
import { readKeys } from '../../../src/http/api-keys.ts'
import { checkedUrl, isPublicAddress, literalOf } from '../../../src/subscriptions/webhook-address.ts'
import { durationIn } from '../../../src/wire/duration-wire.ts'
import { edited } from './edits.ts'
import { fuzzTarget, mustHold, NotHeld } from './fuzz-target.ts'
import { hostileWord, isPolluted } from './hostile-values.ts'

interface SettingsInput {
  readonly of: 'configuration' | 'environment' | 'arguments' | 'duration' | 'keys' | 'address' | 'endpoint' | 'job'
  readonly text: string
}

const PASSWORD = 'hunter2hunter2'
const CONFIGURATIONS = [
  '{"kinds":{"export":{"policy":{"staleAfter":"90s","retry":{"maxAttempts":3}},"bounds":{"staleAfter":{"max":"1h"}}}},"settings":{"hotBytesMax":1000}}',
  '{"server":{"host":"0.0.0.0","port":8080,"store":"sqlite:x.db","keys":"k.json"},"limits":{"maxConcurrent":5}}',
]
const KEYS = `{"version":1,"keys":[{"id":"0123456789ab","name":"mara","hash":"${'0'.repeat(64)}","grants":[{"workspace":"*","roles":["admin"]}],"createdAt":1}]}`
const ARGUMENTS = [
  '--kind export --label a=b --stale-after 2m --max-concurrent 3 -- make all',
  '--server http://localhost:8080 --max-runtime 1h -v -- x',
  `--store esdb://user:${PASSWORD}@localhost:2113?tls=false -- x`,
]
const ADDRESSES = [
  `esdb://user:${PASSWORD}@a:2113,b:2113?tls=false&nodePreference=leader`,
  `esdb+discover://user:${PASSWORD}@db:2113`,
  'esdb://localhost:2113?tls=false',
]
const ENDPOINTS = [
  'https://example.com/hook',
  'https://127.0.0.1/',
  'https://0x7f.1/',
  'https://2130706433/',
  'https://[::1]/',
  'https://[::ffff:10.0.0.1]/',
  'https://169.254.169.254/latest',
  'https://8.8.8.8/x#y',
]
const UUID = '01a1ff05-f5d5-72ca-b34f-6e4712f91e79'
const JOBS = [
  UUID,
  `${UUID}~2`,
  'queue/job@1763690000000',
  'queue/job@1~3',
  `job-registration:${'a'.repeat(22)}:1:2:3`,
  'job-start:1:2:3',
]

export const settingsTarget = fuzzTarget<SettingsInput>({
  name: 'settings',
  about: 'configuration, environment, command lines, durations, files of keys, addresses, ids of jobs',
  runs: 1_000,
  async open() {
    const folder = mkdtempSync(path.join(tmpdir(), 'verdict-fuzz-'))
    const file = path.join(folder, 'file.json')
    return {
      inputs,
      check: (input) => {
        checked(input, file)
        mustHold(!isPolluted(), () => 'a prototype was changed')
      },
      close: async () => rmSync(folder, { recursive: true }),
    }
  },
})

function inputOf(of: SettingsInput['of'], texts: readonly string[], kind: 'text' | 'json' = 'text') {
  return fc.record({ of: fc.constant(of), text: edited(fc.constantFrom(...texts), kind) })
}

const inputs: fc.Arbitrary<SettingsInput> = fc.oneof(
  inputOf('configuration', CONFIGURATIONS, 'json'),
  fc.record({ of: fc.constant('environment' as const), text: hostileWord }),
  inputOf('arguments', ARGUMENTS),
  inputOf('duration', ['90s', '1h 30m', '1.5 d', '250ms', '0']),
  inputOf('keys', [KEYS], 'json'),
  inputOf('address', ADDRESSES),
  inputOf('endpoint', ENDPOINTS),
  inputOf('job', JOBS),
)

function checked({ of, text }: SettingsInput, file: string): void {
  switch (of) {
    case 'configuration': {
      writeFileSync(file, text)
      sentenceOr(() => servePlan({ config: file }, {}))
      const configuration = sentenceOr(() => configurationIn(text))
      if (configuration === undefined) return
      const { server: _server, ...options } = configuration
      sentenceOr(() => effectivePolicies(options))
      sentenceOr(() => settingsOf(options.settings))
      return
    }
    case 'environment': {
      for (const name of [
        'VERDICT_HOST',
        'VERDICT_PORT',
        'VERDICT_STORE',
        'VERDICT_DATA',
        'VERDICT_KEYS',
        'VERDICT_CONFIG',
      ]) {
        sentenceOr(() => servePlan({}, { [name]: text }))
      }
      return
    }
    case 'arguments':
      sentenceOr(() => runOptionsOf(text.split(' ')))
      return
    case 'duration':
      isDuration(text)
      return
    case 'keys':
      writeFileSync(file, text)
      sentenceOr(() => readKeys(file))
      return
    case 'address':
      hidesPassword(text, withoutPassword(text))
      sentenceOr(
        () => assertAddress(text),
        (sentence) => hidesPassword(text, sentence),
      )
      return
    case 'endpoint':
      leadsOut(text)
      return
    case 'job':
      namesWhatItNames(text)
      return
    default:
      throw new Error(`unknown input ${of satisfies never}`)
  }
}

/** These tell of a defect of ours, never of what somebody wrote. */
const DEFECTS = [TypeError, RangeError, ReferenceError, URIError]

function sentenceOr<T>(act: () => T, told: (sentence: string) => void = () => {}): T | undefined {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof Error) || DEFECTS.some((Defect) => error instanceof Defect)) throw error
    if (error.message.trim() === '') throw new NotHeld('it is refused without a word')
    told(error.message)
    return undefined
  }
}

function isDuration(text: string): void {
  const ms = durationIn(text)
  if (ms === undefined) return
  mustHold(Number.isSafeInteger(ms) && ms >= 0, () => `${text} lasts ${ms} ms`)
  mustHold(durationIn(writtenDuration(ms)) === ms, () => `${ms} ms is written as ${writtenDuration(ms)}`)
}

/** Where it stands before an '@', as a password does. */
function hidesPassword(address: string, shown: string): void {
  const isOne = new RegExp(`^esdb(\\+discover)?://[^/@?]*:${PASSWORD}@`).test(address)
  mustHold(!isOne || !shown.includes(PASSWORD), () => `${address} is shown as ${shown}`)
}

function leadsOut(text: string): void {
  const url = sentenceOr(() => checkedUrl(text, false))
  if (url === undefined) return
  const literal = literalOf(url)
  const isOut = url.protocol === 'https:' && url.username === '' && (literal === undefined || isPublicAddress(literal))
  mustHold(isOut, () => `${text} is let through as ${url}`)
}

function namesWhatItNames(text: string): void {
  birthIn(text)
  startIn(text)
  const job = jobOf('queue', text)
  if (job === undefined) return
  const { jobId, addedAt = 0 } = job
  const life = Number(/~(\d+)$/.exec(text)?.[1] ?? 1)
  const again = jobOf('queue', operationIdOf({ queue: 'queue', jobId, addedAt }, life))
  mustHold(
    again?.jobId === jobId && (again.addedAt ?? 0) === addedAt,
    () => `${text} is of ${JSON.stringify(job)}, whose operation is of ${JSON.stringify(again)}`,
  )
}
