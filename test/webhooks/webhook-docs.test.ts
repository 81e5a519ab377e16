import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { settingsOf } from '../../src/config.ts'
import { verdict } from '../cli/support/command-line.ts'
import { freshFolder, openedAt } from '../client/support/opened-verdict.ts'
import { needs } from '../support/needs.ts'
import { Receiver } from './support/receiver.ts'
import { SECRET, webhookRig } from './support/webhook-rig.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const PAGE = readFileSync(path.join(ROOT, 'docs/webhooks.md'), 'utf8')
const blocks = (language: string) =>
  [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text)

describe('docs/webhooks.md', () => {
  test('has commands that do what they say, in their order', { timeout: 300_000 }, async () => {
    const receiver = await Receiver.started()
    const folder = freshFolder()
    const log = await openedAt(path.join(folder, 'verdict.db'), { webhooks: {} })
    await log.execute('export', { id: 'before' }, () => 1)
    const printed: Record<string, string> = {}
    const commands = blocks('sh')
      .flatMap((block) => block.split('\n'))
      .filter((line) => line.startsWith('verdict '))
    expect(commands).toHaveLength(10)
    for (const line of commands) {
      const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '')
      const args = words.slice(1).map((word) => word.replace('http://127.0.0.1:8080/', receiver.url))
      const { code, stdout, stderr } = await verdict(...args, '--data', folder)
      expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' })
      printed[args[1] ?? ''] = stdout.toString()
      if (args[1] === 'test') await log.execute('export', { id: 'a' }, () => 1)
      if (args[1] === 'replay') await vi.waitFor(() => expect(receiver.received).toHaveLength(10), { timeout: 30_000 })
    }
    expect(printed.add).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/)
    expect(printed.test).toBe('answered 204\n')
    expect(printed.list).toMatch(/^local {2}enabled {2}http:\/\/127.*verdict\.operation\.\* {2}\d waiting\n$/)
    expect(printed.replay).toBe('6 events are sent to local\n')
    expect(printed.enable).toMatch(/^local is enabled; what it missed: verdict webhooks replay local --after \d+\n$/)
    expect(printed.remove).toBe('local is gone\n')
    expect(new Set(receiver.told())).toEqual(
      new Set([
        'webhook.test -',
        ...['a', 'before'].flatMap((id) =>
          ['registered', 'started', 'completed'].map((step) => `operation.${step} ${id}`),
        ),
      ]),
    )
  })

  test('has an example that sends what it says', { timeout: 120_000 }, async () => {
    const receiver = await Receiver.started()
    const folder = freshFolder()
    const [example = ''] = blocks('ts')
    const file = path.join(folder, 'example.ts')
    const source = example
      .replace(`'verdict'`, `'${pathToFileURL(path.join(ROOT, 'src/index.ts')).href}'`)
      .replace('./verdict.db', path.join(folder, 'verdict.db'))
      .replace('https://billing.example/hooks', receiver.url)
      .replace(`owner: 'acme',\n`, `owner: 'acme', allowPrivateAddresses: true,\n`)
      // On a busy machine the last delivery takes longer than closing waits for by itself.
      .replace('webhooks: {', 'settings: { webhookDrainMs: 60_000 }, webhooks: {')
    writeFileSync(file, source)
    const env = { ...process.env, VERDICT_WEBHOOK_SECRET: SECRET }
    const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'inherit', 'inherit'] })
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(receiver.told().map((told) => told.split(' ')[0])).toEqual(['operation.completed'])
    expect(receiver.received[0]?.event.data).toMatchObject({ result: { rows: 3 } })
  })

  test('tells the defaults as they are', () => {
    const rows = [...PAGE.matchAll(/^\|[^|]*\| `(webhook\w+)` \| ([^|;]*?)(?:;[^|]*)? \|$/gm)]
    const settings: Readonly<Record<string, unknown>> = settingsOf()
    const told = Object.fromEntries(rows.map(([, name = '', text = '']) => [name, text.split(', ').map(toldMs)]))
    const names = Object.keys(settings).filter((name) => name.startsWith('webhook'))
    expect(Object.keys(told).sort()).toEqual(names.sort())
    for (const name of names) expect({ [name]: told[name] }).toEqual({ [name]: [settings[name]].flat() })
  })
})

describe.skipIf(!needs('python3'))('examples/webhook_receiver.py', () => {
  test('takes what is signed, once, and refuses what is not', async () => {
    const child = spawn('python3', [path.join(ROOT, 'examples/webhook_receiver.py'), '0'], {
      env: { ...process.env, VERDICT_WEBHOOK_SECRET: SECRET },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill())
    let printed = ''
    child.stdout.on('data', (chunk) => {
      printed += chunk
    })
    const port = await vi.waitFor(() => /listening on (\d+)/.exec(printed)?.[1] ?? Promise.reject(new Error(printed)), {
      timeout: 30_000,
    })
    const rig = await webhookRig()
    const at = { url: `http://127.0.0.1:${port}/` }
    await rig.endpoint('good', at, { types: ['verdict.operation.completed'] })
    await rig.desk.add({
      id: 'stranger',
      ...at,
      secrets: [rig.desk.newSecret()],
      allowPrivateAddresses: true,
      types: ['verdict.operation.completed'],
    })
    rig.begin()
    await rig.verdict.execute('export', { id: 'a' }, () => 1)
    await rig.until(() => expect(rig.standings('good')).toEqual(['delivered']))
    await rig.until(() =>
      expect(rig.desk.deliveries({ endpoint: 'stranger', limit: 1 })[0]?.attempts[0]?.status).toBe(401),
    )
    rig.desk.replay(rig.desk.deliveries({ endpoint: 'good', limit: 1 })[0]?.id ?? 0)
    await rig.until(() => expect(rig.standings('good')).toEqual(['delivered', 'delivered']))
    expect(printed).toBe(`listening on ${port}\nverdict.operation.completed a\n`)
  })
})

function toldMs(text: string): number {
  const [, number = '', unit = ''] = /^(\d+)(?: (s|min|h))?$/.exec(text) ?? []
  return Number(number) * ({ '': 1, s: 1_000, min: 60_000, h: 3_600_000 }[unit] ?? Number.NaN)
}
