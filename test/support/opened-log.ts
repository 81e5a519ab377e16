import type Database from 'better-sqlite3'
import { LogError, type StoredEvent } from '../../src/event-store/event-store.ts'
import { asLogError, connect, prepareFile } from '../../src/event-store/sqlite-file.ts'
import { createReader, type SqliteReader } from '../../src/event-store/sqlite-reader.ts'

/** What is read of the log in this file, on a fresh connection, as opening and reading would; or the code of the LogError. */
export function openedLog<T>(file: string, read: (reader: SqliteReader) => T): T | string {
  let db: Database.Database | undefined
  try {
    prepareFile(file, () => {
      throw new Error('A log was begun in the place of a damaged one.')
    })
    db = connect(file, { readonly: true })
    return read(createReader(db, file))
  } catch (thrown) {
    const error = asLogError(thrown, file)
    if (error instanceof LogError) return error.code
    throw error
  } finally {
    db?.close()
  }
}

/** Every event of the log, or of the streams that begin so, page by page. */
export function allOf(reader: SqliteReader, prefixes?: readonly string[]): StoredEvent[] {
  const events: StoredEvent[] = []
  for (let after = 0n, isLast = false; !isLast; ) {
    const page = reader.all(after, prefixes)
    events.push(...page.events)
    after = page.through
    isLast = page.isLast
  }
  return events
}
