import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { EVENT_SCHEMAS, type LifecycleEvent } from '../../src/authority/events.ts'
import {
  labelOf,
  MACHINE_FACTS,
  OPERATION_LABELS,
  stepOf,
  stepOfMachine,
} from '../../src/authority/operation-machine.ts'
import { isActive, isTerminal, resultClassOf, STATUSES, type Status } from '../../src/authority/status.ts'
import { machinePage } from './support/machine-drawing.ts'

const PAGE = path.resolve(import.meta.dirname, '../../docs/machine.md')

const steps = STATUSES.flatMap((status) =>
  MACHINE_FACTS.flatMap((facts) => OPERATION_LABELS.map((label) => ({ status, facts, label }))),
)

describe('the table of legal moves', () => {
  test('A3: is the machine: every status, every fact, every event', () => {
    expect(new Set(steps.map((step) => JSON.stringify(step))).size).toBe(10 * 8 * 24)
    expect(steps.map(({ status, facts, label }) => stepOf(status, facts, label))).toEqual(
      steps.map(({ status, facts, label }) => stepOfMachine(status, facts, label)),
    )
  })

  test('A4: leads out of no terminal status', () => {
    const after = steps
      .filter(({ status }) => isTerminal(status))
      .map(({ status, facts, label }) => [status, stepOf(status, facts, label)])
    expect(after.filter(([from, to]) => to !== undefined && from !== to)).toEqual([])
  })

  test('A3: begins nowhere but in provisioning, and only a rollback ends in nothing', () => {
    const begins = steps.filter(({ status, facts, label }) => status === 'absent' && stepOf(status, facts, label))
    expect(new Set(begins.map(({ label }) => label))).toEqual(new Set(['OperationRegistered']))
    const vanishes = steps.filter(({ status, facts, label }) => stepOf(status, facts, label) === 'absent')
    expect(new Set(vanishes.map(({ status, label }) => `${status} ${label}`))).toEqual(
      new Set(['provisioning RegistrationRolledBack']),
    )
  })

  test('every active status has a way to every end but those that it must run for', () => {
    const ends = (from: Status) =>
      STATUSES.filter(
        (to) => isTerminal(to) && steps.some((s) => s.status === from && stepOf(s.status, s.facts, s.label) === to),
      )
    expect(STATUSES.filter(isActive).map(ends)).toEqual([
      ['completed', 'failed', 'aborted', 'cancelled', 'terminated'],
      ['completed', 'failed', 'cancelled', 'retired', 'terminated'],
      ['completed', 'failed', 'cancelled', 'retired', 'terminated'],
    ])
  })

  test('has a label for each event of an operation, and none for the events of a registry', () => {
    const ofRegistry = [
      'RegistryOpened',
      'RegistryLimitsChanged',
      'OwnerRetired',
      'WaitBegan',
      'WaitExpired',
      'WaitCancelled',
      'CompletedCollected',
    ]
    const labelled = [...OPERATION_LABELS].filter((label) => label !== 'OperationCompletedByWitness')
    expect(new Set([...ofRegistry, ...labelled])).toEqual(new Set(Object.keys(EVENT_SCHEMAS)))
    expect(labelled.length + ofRegistry.length).toBe(Object.keys(EVENT_SCHEMAS).length)
    // Only the type counts, and for a completion whether a witness told of it.
    const event = (type: string, facts: object = {}) => ({ type, facts, content: {} }) as unknown as LifecycleEvent
    expect(labelled.map((label) => labelOf(event(label)))).toEqual(labelled)
    expect(ofRegistry.map((type) => labelOf(event(type)))).toEqual(ofRegistry.map(() => undefined))
    expect(labelOf(event('OperationCompleted', { reconciliation: {} }))).toBe('OperationCompletedByWitness')
  })

  test('is drawn in docs/machine.md as it is', () => {
    if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, machinePage())
    expect(readFileSync(PAGE, 'utf8')).toBe(machinePage())
  })
})

test('people meet four result classes', () => {
  expect(STATUSES.filter((status) => status !== 'absent').map((status) => [status, resultClassOf(status)])).toEqual([
    ['provisioning', 'running'],
    ['running', 'running'],
    ['retiring', 'running'],
    ['completed', 'completed'],
    ['failed', 'failed'],
    ['aborted', 'cancelled'],
    ['cancelled', 'cancelled'],
    ['retired', 'cancelled'],
    ['terminated', 'failed'],
  ])
})
