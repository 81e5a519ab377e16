/**
 * Opens a log that is not there yet, and is killed at a moment of its creation (`tables`, `link`), or stands still before it is
 * linked until it reads a line (`still`). Prints which log it has opened.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import Database from 'better-sqlite3'
import { openSqliteStore } from '../../src/event-store/sqlite.ts'

const [file = '', moment] = process.argv.slice(2)
const die = (): never => {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('not reached')
}

if (moment === 'tables') {
  const { exec } = Database.prototype
  Database.prototype.exec = function (sql) {
    exec.call(this, sql)
    return sql.includes('CREATE TABLE streams') ? die() : this
  }
} else {
  const { linkSync } = fs
  fs.linkSync = (from, to) => {
    if (moment === 'link') die()
    fs.writeSync(1, 'still\n')
    fs.readSync(0, Buffer.alloc(1))
    linkSync(from, to)
  }
  syncBuiltinESMExports()
}

const store = await openSqliteStore({ path: file })
console.log((await store.identity()).logId)
await store.close()
