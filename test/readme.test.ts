import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const HOUSE = path.resolve(import.meta.dirname, '..')
const README = readFileSync(path.join(HOUSE, 'README.md'), 'utf8')
const TOUR = README.slice(README.indexOf('<!-- tour -->'), README.indexOf('<!-- /tour -->'))
const DATA = path.join(HOUSE, '.verdict')

interface Block {
  readonly language: string
  readonly file?: string
  readonly text: string
}

function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/```(\w+)(?: file=(\S+))?\n([\s\S]*?)```/g)].map(
    ([, language = '', file, text = '']) => ({
      language,
      text,
      ...(file === undefined ? {} : { file }),
    }),
  )
}

const clean = () => rmSync(DATA, { recursive: true, force: true })
beforeAll(clean)
afterAll(clean)

test('the tour has programs and commands to try', () => {
  const blocks = blocksOf(TOUR)
  expect(blocks.filter(({ language }) => language === 'ts').length).toBeGreaterThan(0)
  expect(blocks.filter(({ language }) => language === 'sh').length).toBeGreaterThan(2)
})

test('every program in the tour is the file that the tests run', () => {
  for (const { file, text } of blocksOf(TOUR).filter(({ language }) => language === 'ts')) {
    expect(file).toBeDefined()
    expect(text).toBe(readFileSync(path.join(HOUSE, file as string), 'utf8'))
  }
})

test('every command of the tour runs as it stands', { timeout: 120_000 }, () => {
  for (const { text } of blocksOf(TOUR).filter(({ language }) => language === 'sh')) {
    for (const line of text.trim().split('\n')) {
      expect(() => execFileSync('bash', ['-c', line], { cwd: HOUSE, stdio: 'pipe', encoding: 'utf8' })).not.toThrow()
    }
  }
})

test('the two command lines that everybody needs are the ones that CI and the package know', () => {
  const scripts = (JSON.parse(readFileSync(path.join(HOUSE, 'package.json'), 'utf8')) as { scripts: object }).scripts
  expect(README).toContain('\nnpm ci && npm run demo\n')
  expect(README).toContain('\nnpm ci && npm test\n')
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['demo', 'test']))
  const ci = readFileSync(path.join(HOUSE, '.ci/run'), 'utf8')
  for (const command of ['npm ci', 'npm test', 'npm run demo']) expect(ci).toContain(`\n${command}`)
})
