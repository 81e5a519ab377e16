import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventStoreContract } from '../../src/event-store/contract-suite.ts'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'

eventStoreContract(
  'SQLite',
  () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'verdict-log-'))
    return {
      open: () => openSqliteStore({ path: path.join(directory, 'log.db') }),
      dispose: () => rmSync(directory, { recursive: true }),
    }
  },
  { describe, test, expect },
)
