import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CLOUD_EVENT_TYPES, cloudEventOf, cloudEventTypeOf } from '../../src/authority/cloud-event.ts'
import { EVENT_SCHEMAS, type EventMetadata, type EventType } from '../../src/authority/events.ts'
import { utcText } from '../../src/authority/utc-text.ts'

const METADATA: EventMetadata = {
  commandId: 'c1',
  commandType: 'CompleteOperation',
  commandDigest: 'd',
  index: 0,
  count: 1,
  at: Date.UTC(2026, 10, 21, 9, 8, 7, 6),
  actor: 'worker-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  ruleset: 1,
}

describe('the envelope of an event', () => {
  test('tells who acted for whom, and what it belongs to, where that is known; and nothing where it is not', () => {
    const placed = (metadata: EventMetadata) =>
      cloudEventOf({
        logId: 'log-1',
        position: 1n,
        workspace: 'default',
        owner: 'acme',
        revision: 1,
        event: { type: 'OwnerRetired', facts: {}, content: { reason: 'gone' } },
        metadata,
      })
    const { traceparent: _trace, ...bare } = METADATA
    const told = {
      specversion: '1.0',
      id: '1',
      source: '/verdict/logs/log-1',
      type: 'verdict.owner.retired',
      time: '2026-11-21T09:08:07.006Z',
      datacontenttype: 'application/json',
      data: { reason: 'gone' },
      sequence: '0000000000000001',
      workspace: 'default',
      owner: 'acme',
      actor: 'worker-1',
      commandid: 'c1',
    }
    expect(placed(bare)).toStrictEqual(told)
    expect(placed({ ...METADATA, onBehalfOf: 'alice', correlationId: 'r', causationId: 'e' })).toStrictEqual({
      ...told,
      onbehalfof: 'alice',
      correlationid: 'r',
      causationid: 'e',
      traceparent: METADATA.traceparent,
    })
  })

  test('tells position, operation, time, what happened and its trace', () => {
    const envelope = cloudEventOf({
      logId: 'log-1',
      position: 42n,
      workspace: 'default',
      owner: 'acme',
      revision: 7,
      event: {
        type: 'OperationCompleted',
        facts: { id: 'op-1', number: 1, sequence: 1 },
        content: { result: { url: 'u' } },
      },
      metadata: METADATA,
    })
    expect(envelope).toEqual({
      specversion: '1.0',
      id: '42',
      source: '/verdict/logs/log-1',
      type: 'verdict.operation.completed',
      subject: 'op-1',
      time: '2026-11-21T09:08:07.006Z',
      datacontenttype: 'application/json',
      data: { id: 'op-1', number: 1, sequence: 1, result: { url: 'u' } },
      sequence: '0000000000000007',
      workspace: 'default',
      owner: 'acme',
      actor: 'worker-1',
      commandid: 'c1',
      traceparent: METADATA.traceparent,
    })
  })

  test('never tells the key of a registry, and has no subject where no operation is meant', () => {
    const limits = { maxConcurrent: null } as never // only passed on
    const envelope = cloudEventOf({
      logId: 'log-1',
      position: 1n,
      workspace: 'w',
      owner: 'o',
      revision: 0,
      event: { type: 'RegistryOpened', facts: { registryId: 'r', limits }, content: { digestKey: 'ab'.repeat(32) } },
      metadata: METADATA,
    })
    expect(envelope.data).toEqual({ registryId: 'r', limits })
    expect(Object.hasOwn(envelope, 'subject')).toBe(false)
  })

  test('has attributes that CloudEvents allows: lower-case letters and digits', () => {
    const envelope = cloudEventOf({
      logId: 'l',
      position: 1n,
      workspace: 'w',
      owner: 'o',
      revision: 0,
      event: { type: 'OwnerRetired', facts: {}, content: { reason: 'r' } },
      metadata: { ...METADATA, correlationId: 'a', causationId: 'b' },
    })
    for (const name of Object.keys(envelope)) expect(name).toMatch(/^[a-z0-9]{1,20}$/)
  })

  test('has a type for each event, with another prefix where one is set', () => {
    const types = Object.keys(EVENT_SCHEMAS) as EventType[]
    expect(types.map((type) => cloudEventTypeOf(type))).toEqual([...CLOUD_EVENT_TYPES])
    expect([...CLOUD_EVENT_TYPES]).toEqual([
      'verdict.registry.opened',
      'verdict.registry.limits_changed',
      'verdict.operation.registered',
      'verdict.registration.joined',
      'verdict.registration.rolled_back',
      'verdict.operation.started',
      'verdict.peer.became_ready',
      'verdict.progress.reported',
      'verdict.signs.of_life_recorded',
      'verdict.phase.started',
      'verdict.phase.completed',
      'verdict.phase.failed',
      'verdict.attempt.failed',
      'verdict.attempt.lost',
      'verdict.cancel.requested',
      'verdict.retire.requested',
      'verdict.operation.completed',
      'verdict.operation.failed',
      'verdict.operation.cancelled',
      'verdict.operation.aborted',
      'verdict.operation.retired',
      'verdict.owner.terminated',
      'verdict.owner.retired',
      'verdict.attention.raised',
      'verdict.attention.cleared',
      'verdict.contradiction.recorded',
      'verdict.wait.began',
      'verdict.wait.expired',
      'verdict.wait.cancelled',
      'verdict.completed.collected',
    ])
    expect(cloudEventTypeOf('OperationFailed', 'org.example')).toBe('org.example.operation.failed')
  })
})

test('a moment is written as Date writes it, from year 0 to 9999', () => {
  const first = Date.UTC(2000, 0, 1) - 2000 * 365.2425 * 86_400_000
  const last = Date.UTC(9999, 11, 31)
  fc.assert(
    fc.property(fc.integer({ min: first, max: last }), (ms) => {
      expect(utcText(ms)).toBe(new Date(ms).toISOString())
    }),
    { numRuns: 2_000 },
  )
  expect(utcText(Date.UTC(2024, 1, 29, 23, 59, 59, 999))).toBe('2024-02-29T23:59:59.999Z')
})
