/**
 * Loaded into a server by `NODE_OPTIONS=--import`, on each of its threads, before anything of the product: the process kills
 * itself with SIGKILL at an exact statement. The product knows nothing of it.
 *
 *     before_commit, after_commit        the log: all of an append is with SQLite, nothing of it in a file; flushed, and nobody told
 *     before_rows, after_rows            rows and checkpoint of the read models, on their way to be committed
 *     before_build, after_build          the same for rows that are made anew from the log
 *     before_swap, after_swap            the same for those taking the place of others
 *     before_snapshot, after_snapshot    a statement that is a transaction by itself
 *     before_link, after_link            a new log is built under another name, and takes its own
 *     before_mark, after_mark            the mark of being alive is written beside the one before, and takes its place
 *
 * VERDICT_CRASH_AT names the moment, VERDICT_CRASH_COUNT which one of its kind. A process that kills itself is gone before the
 * call returns, all its threads with it.
 */
import fs from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import type BetterSqlite from 'better-sqlite3'

const wanted = process.env.VERDICT_CRASH_AT ?? ''
let left = Number(process.env.VERDICT_CRASH_COUNT ?? 1)

if (wanted !== '') {
  watchDriver()
  watchFiles()
}

function reach(moment: string): void {
  if (moment === wanted && --left === 0) process.kill(process.pid, 'SIGKILL')
}

type Given = readonly unknown[]
type Transaction = Readonly<Record<'default' | 'deferred' | 'immediate' | 'exclusive', (...given: Given) => unknown>>

/** The functions of the driver that are watched: passed on as they were called. */
interface Driver {
  exec(this: BetterSqlite.Database, sql: string): unknown
  prepare(this: BetterSqlite.Database, sql: string): BetterSqlite.Statement
  transaction(this: BetterSqlite.Database, body: (...given: Given) => unknown): Transaction
}

function watchDriver(): void {
  const driver = (createRequire(import.meta.url)('better-sqlite3') as { readonly prototype: Driver }).prototype // typed for callers only
  const { exec, prepare, transaction } = driver
  /** What a transaction of a connection is about, where it is no following. */
  const about = new WeakMap<BetterSqlite.Database, 'build' | 'swap'>()

  driver.exec = function (sql) {
    if (sql !== 'COMMIT' || !this.name.endsWith('.db')) return exec.call(this, sql)
    reach('before_commit')
    exec.call(this, sql)
    reach('after_commit')
    return this
  }

  driver.prepare = function (sql) {
    const statement = prepare.call(this, sql)
    const isSnapshot = sql.includes('INTO snapshots')
    const change = /INSERT INTO generations /.test(sql)
      ? 'build'
      : /SET standing = 'serving'/.test(sql)
        ? 'swap'
        : undefined
    if (!isSnapshot && change === undefined) return statement
    const run = statement.run.bind(statement)
    statement.run = (...parameters) => {
      if (isSnapshot) reach('before_snapshot')
      const result = run(...parameters)
      if (isSnapshot) reach('after_snapshot')
      if (change === 'swap' || parameters.includes('building')) about.set(this, change ?? 'build')
      return result
    }
    return statement
  }

  driver.transaction = function (body) {
    if (!this.name.endsWith('-views')) return transaction.call(this, body)
    const moment = () => about.get(this) ?? 'rows'
    let isOutermost = false
    const inner = transaction.call(this, (...given) => {
      const tells = isOutermost
      isOutermost = false
      const result = body(...given)
      if (tells) reach(`before_${moment()}`)
      return result
    })
    const { immediate } = inner
    return Object.assign((...given: Given) => inner.default(...given), {
      default: inner.default,
      deferred: inner.deferred,
      exclusive: inner.exclusive,
      immediate: (...given: Given) => {
        const tells = !this.inTransaction
        isOutermost = tells
        const result = immediate(...given)
        if (!tells) return result
        reach(`after_${moment()}`)
        if (about.get(this) === 'swap') about.delete(this)
        return result
      },
    })
  }
}

function watchFiles(): void {
  const { linkSync, renameSync } = fs
  fs.linkSync = (from, to) => {
    reach('before_link')
    linkSync(from, to)
    reach('after_link')
  }
  fs.renameSync = (from, to) => {
    const isMark = String(to).endsWith('-alive')
    if (isMark) reach('before_mark')
    renameSync(from, to)
    if (isMark) reach('after_mark')
  }
  syncBuiltinESMExports()
}
