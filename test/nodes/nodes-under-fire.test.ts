import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { freshSeed } from '../support/fresh-seed.ts'
import { nodesUnderFire, type StoreName } from './support/nodes-under-fire.ts'

const LASTS_MS = Number(process.env.VERDICT_NODES_SECONDS ?? 10) * 1_000

// For longer: npm run nodes.
test.each<StoreName>(['sqlite', 'eventstoredb'])(
  'three nodes on one log (%s), killed at random, answer as one: every call in one order, and as the log says',
  async (store) => {
    const directory = mkdtempSync(join(tmpdir(), 'verdict-nodes-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const { faults, ...told } = await nodesUnderFire({
      store,
      directory,
      seed: freshSeed('VERDICT_NODES_SEED'),
      lastsMs: LASTS_MS,
    })
    expect(faults.join('\n')).toBe('')
    expect(told.undecided).toBe(0)
    // Nothing was found because something was looked at.
    for (const count of [
      'kills',
      'answered',
      'refused',
      'unanswered',
      'operations',
      'watchersTold',
      'waitsTold',
    ] as const) {
      expect(told[count], count).toBeGreaterThan(0)
    }
    expect(told.watchersToldAcross).toBeGreaterThan(0)
  },
  600_000 + LASTS_MS,
)
