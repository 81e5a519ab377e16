import { expect, test } from 'vitest'
import { KnownOwners } from '../../src/http/known-owners.ts'

const OWNER = { workspace: 'default', owner: 'somebody' }
const ANOTHER = { workspace: 'default', owner: 'another' }

function knowing(count: number): KnownOwners {
  const owners = new KnownOwners()
  for (let i = 0; i < count; i++) owners.set(`operation-${i}`, OWNER)
  return owners
}

test('tell where the newest 25,000 operations were found, and keep no more than 50,000', () => {
  const count = 130_000
  const owners = knowing(count)
  const known = Array.from({ length: count }, (_, i) => owners.get(`operation-${i}`))
  expect(known.slice(-25_000).every((owner) => owner === OWNER)).toBe(true)
  expect(known.filter((owner) => owner !== undefined).length).toBeLessThanOrEqual(50_000)
})

test('tell the newest word of an operation, also of one that was found long before', () => {
  const owners = knowing(30_000)
  owners.set('operation-1', ANOTHER)
  expect([owners.get('operation-1'), owners.get('operation-2')]).toEqual([ANOTHER, OWNER])
})

test('forget an operation, whenever it was found', () => {
  const owners = knowing(30_000)
  owners.forget('operation-1')
  owners.forget('operation-29999')
  expect([owners.get('operation-1'), owners.get('operation-29999'), owners.get('operation-2')]).toEqual([
    undefined,
    undefined,
    OWNER,
  ])
})
