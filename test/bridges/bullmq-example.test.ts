import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { freshFolder } from '../client/support/opened-verdict.ts'
import { needs } from '../support/needs.ts'
import { RedisServer } from '../support/redis-server.ts'

const EXAMPLE = path.resolve(import.meta.dirname, '../../examples/bullmq.ts')

describe.skipIf(!needs('redis-server'))('the example of BullMQ', () => {
  test('shows a second attempt that completes and a job that the queue gave up', async () => {
    const redis = await RedisServer.started()
    try {
      const env = { ...process.env, REDIS_URL: redis.socket }
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [EXAMPLE], { cwd: freshFolder(), env })
      expect({ stdout, stderr }).toEqual({
        stdout: '{ rows: 3 } in attempt 2\nrun.queue_failure_bridge nothing to export\n',
        stderr: '',
      })
    } finally {
      await redis.dispose()
    }
  })
})
