import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openVerdict } from '../../src/app.ts'
import { verdict } from '../cli/support/command-line.ts'
import { freshFolder, openedAt, thrownBy } from '../client/support/opened-verdict.ts'
import { startServer } from '../support/eventstoredb-rig.ts'

const CERTIFICATES = path.join(import.meta.dirname, 'certificates')
const CERTIFICATE = path.join(CERTIFICATES, 'localhost-cert.pem')
const TLS = {
  key: readFileSync(path.join(CERTIFICATES, 'localhost-key.pem')),
  cert: readFileSync(CERTIFICATE),
}
const CA = `tlsCAFile=${encodeURIComponent(CERTIFICATE)}`

interface Refused {
  /** Of an address with a user and the password `p4ss`, of a server that is as it should not be. */
  readonly address: () => Promise<string> | string
  readonly code: string
  readonly sentence: RegExp
}

const user = (url: string) => url.replace('esdb://', 'esdb://ops:p4ss@')
const shown = 'esdb://ops:\\*\\*\\*@localhost'

const REFUSED: Readonly<Record<string, Refused>> = {
  'is of another protocol': {
    address: () => 'kurrentdb://ops:p4ss@localhost:2113',
    code: 'invalid_settings',
    sentence: /^a log is at a path, .* or esdb:\/\/host:port, got "kurrentdb:\/\/ops:\*\*\*@localhost:2113"$/,
  },
  'lacks its slashes': {
    address: () => 'esdb:ops:p4ss@localhost',
    code: 'log_unusable',
    sentence:
      /^The address esdb:ops:\*\*\*@localhost can't be used: it must begin with esdb:\/\/ or esdb\+discover:\/\/\.$/,
  },
  'has a port that is none': {
    address: () => 'esdb://ops:p4ss@localhost:port',
    code: 'log_unusable',
    sentence: new RegExp(`^The address ${shown}:port can't be used: it is not well-formed\\.$`),
  },
  'has a setting that there is not': {
    address: () => 'esdb://ops:p4ss@localhost?tsl=false',
    code: 'log_unusable',
    sentence: new RegExp(`^The address ${shown}\\?tsl=false can't be used: there is no setting 'tsl'\\.$`),
  },
  'has a setting in another spelling that can not be': {
    address: () => 'esdb://ops:p4ss@localhost?tls_verify_cert=false',
    code: 'log_unusable',
    sentence: /can't be used: certificates are always verified;/,
  },
  'leads to nobody': {
    address: async () => {
      const server = await startServer()
      server.kill()
      return user(server.url)
    },
    code: 'log_unavailable',
    sentence: new RegExp(
      `^No answer from the server at ${shown}:\\d+\\?tls=false: .*ECONNREFUSED.* Is it running there`,
    ),
  },
  'leads to a host that there is not': {
    address: () => 'esdb://ops:p4ss@no-such-host.invalid:2113?tls=false',
    code: 'log_unavailable',
    sentence:
      /^No answer from the server at esdb:\/\/ops:\*\*\*@no-such-host\.invalid:2113\?tls=false: .* Is it running there/,
  },
  'leads to a server of another kind': {
    address: async () => {
      const server = createServer((_request, response) => response.end('hello'))
      await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
      onTestFinished(() => void server.close())
      return `esdb://ops:p4ss@localhost:${(server.address() as AddressInfo).port}?tls=false`
    },
    code: 'log_unavailable',
    sentence: new RegExp(`^No answer from the server at ${shown}:\\d+\\?tls=false: `),
  },
  'leads to a server that is too old': {
    address: async () => user((await startServer({ version: '22.10.5' })).url),
    code: 'log_unusable',
    sentence: new RegExp(
      `^The server at ${shown}.* is too old: .* 23\\.10 or later, and this one says '22\\.10\\.5'\\.$`,
    ),
  },
  'names a user without rights': {
    address: async () => {
      const server = await startServer()
      server.deniesAll = true
      return user(server.url)
    },
    code: 'log_unusable',
    sentence: /the server refuses this user/i,
  },
  'names a user with the wrong password': {
    address: async () => {
      const server = await startServer({ tls: TLS, login: 'ops:right' })
      return `${server.url.replace('right', 'p4ss')}?${CA}`
    },
    code: 'log_unusable',
    sentence: /refuses this user/,
  },
  'names a user who may not write, on a server without a log': {
    address: async () => {
      const server = await startServer()
      server.deniesAppends = true
      return user(server.url)
    },
    code: 'log_unavailable',
    sentence: /^The log could not be begun: Appending to 'admin': the server refuses this user\.$/,
  },
  'leads to a certificate that nobody vouches for': {
    address: async () => user((await startServer({ tls: TLS })).url),
    code: 'log_unusable',
    sentence: new RegExp(`^No TLS with the server at ${shown}:\\d+: .*certificate.* tlsCAFile=PATH`),
  },
  'asks for TLS where there is none': {
    address: async () => user((await startServer()).url.replace('?tls=false', '')),
    code: 'log_unusable',
    sentence: new RegExp(
      `^No TLS with the server at ${shown}:\\d+: SSL routines: wrong version number\\. Name .* for a server without TLS add tls=false\\.$`,
    ),
  },
  'asks for no TLS where there is some': {
    address: async () => `${user((await startServer({ tls: TLS })).url)}?tls=false`,
    code: 'log_unavailable',
    sentence: new RegExp(`^No answer from the server at ${shown}.* For a server with TLS take tls=false away\\.$`),
  },
  'leads to a log that begins with something else': {
    address: async () => {
      const server = await startServer()
      server.log.write('admin', { type: 'Started' })
      return user(server.url)
    },
    code: 'log_damaged',
    sentence: /^Stream 'admin' at revision 0: an event of the type 'Started' that Verdict did not write/,
  },
}

describe.each(Object.keys(REFUSED))('an address that %s', (what) => {
  const { address, code, sentence } = REFUSED[what] as Refused

  test('is refused by the library with a code and a sentence without the password', async () => {
    const error = (await thrownBy(openVerdict(await address()))) as Error
    expect(error).toMatchObject({ code, message: expect.stringMatching(sentence) })
    expect(error.message).not.toContain('p4ss')
  })

  test('is refused by the command line with the same sentence, and nothing is started', async () => {
    const mark = path.join(freshFolder(), 'mark')
    const start = ['--', process.execPath, '-e', `require('fs').writeFileSync(${JSON.stringify(mark)}, '')`]
    const { code: exitCode, stdout, stderr } = await verdict('run', '--store', await address(), ...start)
    // Of another protocol is another command line; everything else shows with the first try.
    expect({ exitCode, stdout: stdout.toString() }).toEqual({
      exitCode: code === 'invalid_settings' ? 2 : 125,
      stdout: '',
    })
    if (exitCode === 125) expect(stderr.replace(/^verdict: /, '').trimEnd()).toMatch(sentence)
    expect(stderr).not.toContain('p4ss')
    expect(existsSync(mark)).toBe(false)
  })
})

describe('a registry whose stream somebody else wrote to', () => {
  test('refuses its commands by name, starts nothing and changes nothing; the others go on', async () => {
    const server = await startServer()
    const options = ['--store', server.url, '--owner', 'acme']
    expect((await verdict('run', ...options, '--', 'true')).code).toBe(0)
    server.log.write('registry-default/acme', { type: 'Invoiced' })
    const before = server.log.stream('registry-default/acme').length
    const { code, stdout, stderr } = await verdict('run', ...options, '--', 'echo', 'started')
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 125, stdout: '' })
    expect(stderr).toMatch(
      /^verdict: .*Stream 'registry-default\/acme' at revision 4: an event of the type 'Invoiced' that Verdict did not write/,
    )
    expect(server.log.stream('registry-default/acme')).toHaveLength(before)
    expect((await verdict('run', '--store', server.url, '--owner', 'other', '--', 'true')).code).toBe(0)
    expect(await verdict('verify', '--store', server.url)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("'Invoiced' that Verdict did not write"),
    })
  })
})

test('a user who lost the right to write is told so with the command, and what was sent is not lost', async () => {
  const server = await startServer()
  const opened = await openedAt(server.url, { settings: { unknownWaitMs: 300 } })
  await opened.register('k', { id: 'before' })
  server.deniesAppends = true
  const refused = await thrownBy(opened.register('k', { id: 'kept', commandId: 'once' }))
  expect(refused).toMatchObject({
    code: 'outcome_unknown',
    message: expect.stringContaining('the server refuses this user'),
  })
  server.deniesAppends = false
  // It goes on being sent, and the same command id has the same one effect.
  await expect
    .poll(() => opened.register('k', { id: 'kept', commandId: 'once' }).then(({ id }) => id, String), {
      timeout: 10_000,
    })
    .toBe('kept')
  expect((await opened.operations.list()).operations.map(({ id }) => id).sort()).toEqual(['before', 'kept'])
})
