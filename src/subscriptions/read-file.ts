/**
 * The file of the read models as a place: opened, made where it is missing, made anew where it is ours and damaged. A file
 * that is somebody else's is never touched.
 */
import { mkdirSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { openReadDatabase, type ReadDatabase } from '../../projections/read-database.ts'
import {
  DamagedSchema,
  isReadDatabase,
  isSqliteError,
  ReadDatabaseError,
} from '../../projections/read-database-file.ts'

export interface ReadFile {
  readonly database: ReadDatabase
  /** Why what was there had to go. */
  readonly renewedBecause: string | undefined
  /** Whether it is still the file that lies at its path: it may be deleted at any time. */
  isInPlace(): boolean
}

export function openReadFile(path: string): ReadFile {
  // Rows tell what the log tells: a folder that is made for them is nobody else's to read.
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const { database, renewedBecause } = openOrRenew(path)
  const inode = inodeOf(path)
  return { database, renewedBecause, isInPlace: () => inodeOf(path) === inode }
}

function openOrRenew(path: string): Pick<ReadFile, 'database' | 'renewedBecause'> {
  try {
    return { database: openReadDatabase(path), renewedBecause: undefined }
  } catch (error) {
    if (!isDamage(error)) throw error
    removeReadFile(path)
    return { database: openReadDatabase(path), renewedBecause: toldDamage(error) }
  }
}

export function toldDamage({ message }: Error): string {
  return `The file of the read models was damaged (${message}) and is built anew.`
}

/** Takes a file of read models away; throws ReadDatabaseError where its header does not say that it is one. */
export function removeReadFile(path: string): void {
  if (!isReadDatabase(path)) {
    throw new ReadDatabaseError(
      'not_read_models',
      `'${path}' is damaged and does not say that it holds read models: delete it, or name another file.`,
    )
  }
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
}

/** What is wrong with the bytes of a file. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof DamagedSchema) return true
  if (!isSqliteError(error) || !('code' in error)) return false
  return /^SQLITE_(CORRUPT|NOTADB)/.test(String(error.code))
}

export function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}
