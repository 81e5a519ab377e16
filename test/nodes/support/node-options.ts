/** How the nodes are set: the same on each of them, and where what they decided is judged. */
import type { OpenOptions } from '../../../src/app/open-options.ts'
import { ATTEMPTS_MAX } from './operation-life.ts'

export const KIND = 'under-fire'

export const NODE_OPTIONS = {
  kinds: { [KIND]: { policy: { retry: { maxAttempts: ATTEMPTS_MAX } } } },
  settings: {
    // Each report is stored, so that each acknowledged one must be found.
    progressCoalesceMs: 0,
    // Registries are let go and loaded from snapshots all the time.
    snapshotEvents: 50,
    hotBytesMax: 64 * 1024,
  },
} satisfies OpenOptions
