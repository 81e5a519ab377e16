import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_BOUNDS } from '../../src/authority/bounds.ts'
import { parseCommand } from '../../src/authority/commands.ts'
import { REASON_CODES } from '../../src/authority/events.ts'
import { DEFAULT_POLICY } from '../../src/authority/lifecycle-policy.ts'
import type { Outcome } from '../../src/authority/operation.ts'
import { viewOf } from '../../src/authority/operation-view.ts'
import { REASON_SENTENCES } from '../../src/authority/reason-sentences.ts'
import { errorWithoutSecrets, withoutSecrets } from '../../src/authority/redaction.ts'
import { historyOf, limits, wishes } from './support/random-history.ts'

const S = 'hunter2Hunter2hunter2'

const SECRETS: readonly (readonly [what: string, text: string, left: string])[] = [
  [
    'a password in an address',
    `connect postgres://app:${S}@db:5432/x failed`,
    'connect postgres://[redacted]@db:5432/x failed',
  ],
  ['a key in an address', `GET https://${S}@api.example.com/v1`, 'GET https://[redacted]@api.example.com/v1'],
  ['a query', `GET /v1?page=2&api_key=${S}&x=1 gave 500`, 'GET /v1?page=2&api_key=[redacted]&x=1 gave 500'],
  ['a header', `401 for Authorization: Bearer ${S}`, '401 for Authorization: [redacted]'],
  ['a bearer token', `refused bearer ${S}`, 'refused bearer [redacted]'],
  ['an assignment', `PGPASSWORD=${S} psql exited with 2`, 'PGPASSWORD=[redacted] psql exited with 2'],
  ['JSON', `got {"user":"a","password":"${S} x","b":1}`, 'got {"user":"a","password":[redacted],"b":1}'],
  ['a cookie', `Cookie: sid=${S}; other=${S}`, 'Cookie: [redacted]'],
  ['a JWT', `jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.${S} expired`, 'jwt [redacted] expired'],
  ['a JWT that is not signed', 'jwt eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0 expired', 'jwt [redacted] expired'],
  ['a token of Kerberos', `refused Negotiate  ${S}`, 'refused Negotiate [redacted]'],
  ['a digest', `refused Digest ${S}`, 'refused Digest [redacted]'],
  ['a key of AWS', 'key AKIAIOSFODNN7EXAMPLE is not active', 'key [redacted] is not active'],
  ['a token of GitHub', `ghp_${S}${S} is bad`, '[redacted] is bad'],
  ['a key of a payment service', `sk_live_${S} was revoked`, '[redacted] was revoked'],
  ['a fine-grained token of GitHub', `github_pat_${S}_${S} is bad`, '[redacted] is bad'],
  ['a token of GitLab', `glpat-${S} is bad`, '[redacted] is bad'],
  ['a token of Slack', 'xoxb-1234567890-abc is bad', '[redacted] is bad'],
  ['a key of Google', `AIza${S}${S} is bad`, '[redacted] is bad'],
  ['a token of npm', `npm_${S}${S} is bad`, '[redacted] is bad'],
  ['a key for tests', `rk_test_${S} was revoked`, '[redacted] was revoked'],
  ['a public key of a payment service', `pk_test_${S} was revoked`, '[redacted] was revoked'],
  ['a key of a project', `sk-proj-${S} was revoked`, '[redacted] was revoked'],
  ['a key without a word', `sk-${S} was revoked`, '[redacted] was revoked'],
  ['a key in a key', `sk-live-${S} and sk-test-${S} were revoked`, '[redacted] and [redacted] were revoked'],
  ['a private key that was cut', `read -----BEGIN PRIVATE KEY-----\n${S}`, 'read [redacted]'],
  [
    'a private key',
    `-----BEGIN RSA PRIVATE KEY-----\n${S}\n-----END RSA PRIVATE KEY-----\nis not valid`,
    '[redacted]\nis not valid',
  ],
]

describe('secrets', () => {
  test.each(SECRETS)('B10: %s is taken out of what was written, and the rest is left', (_, text, left) => {
    expect(withoutSecrets(text)).toBe(left)
    expect(withoutSecrets(left)).toBe(left)
  })

  test.each([
    'connection reset by peer while reading page 17',
    'Unexpected token } in JSON at position 4',
    'GET https://example.com/a?page=2 answered 503',
    'row 12: name is missing; total = 40',
    'mail to someone@example.com bounced',
    'npm_config was not found, nor github_pat_x, glpat-y, xoxb-z, AIzaw, sk-short, eyJshort.x and AKIA123',
  ])('B10: "%s" holds none and is left as it is', (text) => {
    expect(withoutSecrets(text)).toBe(text)
  })

  test('B10: details lose what stands under the name of a secret, however deep', () => {
    const details = {
      url: `amqp://u:${S}@h`,
      auth: [{ clientSecret: S, 'x-api-key': [S], attempts: 3 }],
      token: { a: S },
    }
    expect(errorWithoutSecrets({ message: 'no', code: 'E', details })).toEqual({
      message: 'no',
      code: 'E',
      details: {
        url: 'amqp://[redacted]@h',
        auth: [{ clientSecret: '[redacted]', 'x-api-key': '[redacted]', attempts: 3 }],
        token: '[redacted]',
      },
    })
  })

  test('B10: an error keeps what it has, and gets nothing that it had not', () => {
    expect(errorWithoutSecrets({ message: 'no' })).toStrictEqual({ message: 'no' })
    const details = { a: null, b: 1, c: [null, true], text: 'plain' }
    expect(errorWithoutSecrets({ message: 'no', details })).toStrictEqual({ message: 'no', details })
  })

  test('B10: no text, however long, takes long', () => {
    for (const text of [
      'a'.repeat(65_536),
      'password '.repeat(7_000),
      'a://'.repeat(16_000),
      'token='.repeat(10_000),
    ]) {
      const started = process.cpuUsage()
      withoutSecrets(text)
      expect(process.cpuUsage(started).user).toBeLessThan(1_000_000)
    }
  })

  test('B10: every command that carries words of others loses their secrets, and is still known as the same', () => {
    const error = { message: `password=${S}` }
    const evidence = { rule: 'witness', attempt: 1, lastRevision: 0, judgedAt: 0, graceMs: 0 }
    const disposition = { type: 'fail', error }
    const commands = [
      { type: 'FailOperation', id: 'a', error },
      { type: 'RetryAttempt', id: 'a', error, notBeforeAt: 0 },
      { type: 'ProvisioningFailed', id: 'a', error },
      { type: 'FailPhase', id: 'a', phase: 'p', error },
      { type: 'RecordContradiction', id: 'a', claimed: 'failed', error },
      { type: 'ReportProgress', id: 'a', message: `token: ${S}` },
      { type: 'RequestCancel', id: 'a', reason: `token: ${S}` },
      { type: 'CancelOperation', id: 'a', reason: `token: ${S}` },
      { type: 'AbortProvisioning', id: 'a', reason: `token: ${S}` },
      { type: 'MarkRetired', id: 'a', reason: `token: ${S}` },
      { type: 'TerminateOwner', reason: `token: ${S}` },
      { type: 'RetireOwner', reason: `token: ${S}` },
      { type: 'ReconcileOperation', id: 'a', evidence, reasonCode: 'run.queue_failure_bridge', disposition },
    ]
    for (const command of commands) {
      const parsed = parseCommand(command, DEFAULT_BOUNDS)
      expect(JSON.stringify('command' in parsed ? parsed.command : S)).not.toContain(S)
      expect('text' in parsed && parsed.text).toContain(S)
    }
  })

  test('B10: none of an error that was thrown in the embedded product is in its log, its snapshots, its lists or its story', async () => {
    const { openVerdict } = await import('../../src/index.ts')
    const verdict = await openVerdict('memory:', { reconciler: false })
    const thrown = { code: 'ECONN', details: { password: S } }
    const run = await verdict.start('export', { id: 'a' }, async () => {
      throw Object.assign(new Error(`connect redis://:${S}@cache failed`), thrown)
    })
    await run.outcome()
    const told = {
      snapshot: await verdict.operations.get('a'),
      listed: await verdict.operations.list(),
      history: await verdict.operation('a').history(),
      story: await verdict.operations.story('a'),
    }
    await verdict.close()
    const text = JSON.stringify(told, (_name, value) => (typeof value === 'bigint' ? String(value) : value))
    expect(text).not.toContain(S)
    expect(told.story?.steps.map(({ sentence, diagnostics }) => [sentence, diagnostics]).at(-1)).toEqual([
      'It failed: an error was reported, which stands among its diagnostics.',
      {
        error: {
          message: 'connect redis://[redacted]@cache failed',
          code: 'ECONN',
          details: { password: '[redacted]' },
        },
      },
    ])
  })
})

describe('words for operators', () => {
  test.each(REASON_CODES)('B10: %s has a sentence of its own, and what was thrown stands apart from it', (code) => {
    const outcome: Outcome = { status: 'failed', error: { message: 'ECONNREFUSED 10.0.0.7' }, reasonCode: code }
    const { history, state } = historyOf(LIMITS, [() => ({ type: 'RegisterOperation', id: 'a', kind: 'k' })], 0)
    expect(history.length).toBeGreaterThan(0)
    const born = state.operations.get('a')
    if (born === undefined) throw new Error('it was registered')
    const view = viewOf({ ...born, status: 'failed', outcome, policy: DEFAULT_POLICY }, 1_000, 0)
    expect(view.reason).toEqual({ code, sentence: REASON_SENTENCES[code] })
    expect(view.explanation).toBe(`It failed. ${REASON_SENTENCES[code]}`)
    expect(view.diagnostics).toEqual({ error: { message: 'ECONNREFUSED 10.0.0.7' } })
  })

  test('B10: no explanation, in any history and at any time, repeats what people or programs wrote', () => {
    fc.assert(
      fc.property(limits, wishes, fc.integer(), fc.constantFrom(50, 400_000, 1e12), (given, sent, seed, now) => {
        for (const operation of historyOf(given, sent, seed).state.operations.values()) {
          const marked = JSON.parse(JSON.stringify(operation).replaceAll('"no"', '"WRITTEN"')) // every error says "no"
          const { explanation, reason } = viewOf({ ...marked, name: 'WRITTEN', source: 'WRITTEN' }, now, 0)
          expect(`${explanation} ${reason?.sentence}`).not.toContain('WRITTEN')
          expect(explanation).toMatch(/^[A-Z].*\.$/)
        }
      }),
      { numRuns: 60 },
    )
  })
})

const LIMITS = {
  maxConcurrent: null,
  maxCompleted: 4,
  maxActiveWaits: null,
  activeCeiling: 100,
  tombstones: 3,
  feedRetention: 3,
  commandMemory: { ms: 10, min: 1, max: 4 },
  endedWaits: 2,
}
