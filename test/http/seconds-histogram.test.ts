import { Histogram, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { SecondsHistogram } from '../../src/http/seconds-histogram.ts'

const FACTS = { name: 'seconds', help: 'How long.' }

test('tells what the histogram of prom-client tells of the same', async () => {
  const ours = new Registry()
  const theirs = new Registry()
  const labelNames = ['command', 'result'] as const
  const buckets = [0.001, 0.01, 0.1, 1]
  const counted = new SecondsHistogram({ ...FACTS, labelNames, buckets, registry: ours })
  const compared = new Histogram({ ...FACTS, labelNames: [...labelNames], buckets, registers: [theirs] })
  expect(await ours.metrics()).toBe(await theirs.metrics())

  const observed = [
    ['RegisterOperation', 'answered', 0.0005],
    ['RegisterOperation', 'answered', 0.01],
    ['RegisterOperation', 'not "so"\n', 0.0100001],
    ['unknown', 'answered', 0],
    ['unknown', 'answered', 1],
    ['RegisterOperation', 'answered', 7.25],
  ] as const
  for (const [command, result, seconds] of observed) {
    counted.observe(command, result, seconds)
    compared.observe({ command, result }, seconds)
  }
  const text = await ours.metrics()
  expect(text).toBe(await theirs.metrics())
  expect(text).toContain('seconds_bucket{le="0.01",command="RegisterOperation",result="answered"} 2\n')
})

test('refuses a second one of the same name', () => {
  const registry = new Registry()
  const options = { ...FACTS, labelNames: ['a', 'b'] as const, buckets: [1], registry }
  new SecondsHistogram(options)
  expect(() => new SecondsHistogram(options)).toThrow(/already been registered/)
})
