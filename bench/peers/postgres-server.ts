/**
 * A PostgreSQL of the bench's own: a fresh cluster with the settings that come with it, on a socket in its folder. It refuses to
 * run as root; for root it runs as `postgres`, the user that comes with its package, and where there is none as `nobody`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as elapsed } from 'node:timers/promises'
import { programAt } from './programs.ts'

const STARTED_WITHIN_MS = 30_000
const ASKED_EVERY_MS = 20
const SETTINGS_TOLD = ['fsync', 'synchronous_commit', 'wal_sync_method', 'full_page_writes', 'shared_buffers']

export const POSTGRES_USER = 'postgres'

type UnixUser = { readonly uid: number; readonly gid: number }

export class PostgresServer {
  readonly folder: string
  readonly #child: ChildProcess

  private constructor(folder: string, child: ChildProcess) {
    this.folder = folder
    this.#child = child
  }

  /** Resolved when it takes connections. */
  static async started(): Promise<PostgresServer> {
    const folder = mkdtempSync(path.join(tmpdir(), 'postgres-'))
    const user = process.getuid?.() === 0 ? unprivilegedUser() : undefined
    if (user !== undefined) chownSync(folder, user.uid, user.gid)
    // Only what it makes before it runs goes unflushed; afterwards it flushes as it does by default.
    succeed('initdb', ['-D', folder, '-U', POSTGRES_USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], user)
    const child = spawn(program('postgres'), ['-D', folder, '-k', folder, '-c', 'listen_addresses='], {
      stdio: 'ignore',
      ...user,
    })
    const server = new PostgresServer(folder, child)
    const deadline = Date.now() + STARTED_WITHIN_MS
    while (!server.#isAnswering()) {
      if (Date.now() > deadline || child.exitCode !== null) throw new Error('postgres did not start')
      await elapsed(ASKED_EVERY_MS)
    }
    return server
  }

  /** As the server says them. */
  facts(): { readonly version: string; readonly settings: Readonly<Record<string, string>> } {
    const names = SETTINGS_TOLD.map((name) => `'${name}'`).join(',')
    const asked = `select name, current_setting(name) from pg_settings where name in (${names}) order by name`
    const ask = (sql: string) =>
      succeed('psql', ['-h', this.folder, '-U', POSTGRES_USER, '-d', 'postgres', '-At', '-F', ' ', '-c', sql])
    const settings = ask(asked)
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string])
    return { version: ask('show server_version').trim(), settings: Object.fromEntries(settings) }
  }

  /** Ends at once; its files are gone. */
  async dispose(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit')
      // "Immediate shutdown": it takes its own processes with it, which SIGKILL would leave behind for a while.
      this.#child.kill('SIGQUIT')
      await gone
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  #isAnswering(): boolean {
    return spawnSync(program('pg_isready'), ['-q', '-h', this.folder], { stdio: 'ignore' }).status === 0
  }
}

function unprivilegedUser(): UnixUser {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('postgres refuses to run as root, and there is no user `postgres` or `nobody` to run it as')
}

function succeed(name: string, args: readonly string[], user?: UnixUser): string {
  const { status, stdout, stderr } = spawnSync(program(name), args, { encoding: 'utf8', cwd: '/', ...user })
  if (status !== 0) throw new Error(`${name} ${args.join(' ')} failed: ${stdout}${stderr}`)
  return stdout
}

function program(name: string): string {
  const file = programAt(name)
  if (file === undefined) throw new Error(`${name} is not on this machine: apt-get install postgresql`)
  return file
}
