/** The page as it is now, for tests that look at it: built before them when its sources are newer than what was built. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'

const HOUSE = path.resolve(import.meta.dirname, '../..')
const BUILT = path.join(HOUSE, 'dist/monitor/index.html')
/** With the rooms whose words it uses. */
const SOURCES = ['src/monitor', 'src/wire', 'src/authority', 'package-lock.json']

export function setup(): void {
  const builtAt = existsSync(BUILT) ? statSync(BUILT).mtimeMs : 0
  if (SOURCES.every((source) => newestIn(path.join(HOUSE, source)) < builtAt)) return
  try {
    execFileSync('npm', ['run', '--silent', 'build:monitor'], { cwd: HOUSE, stdio: 'inherit' })
  } catch (error) {
    // What cannot be resolved is written all the same; it would be taken for built the next time.
    rmSync(BUILT, { force: true })
    throw error
  }
}

/** When a file or folder was last changed, epoch ms. */
function newestIn(place: string): number {
  const stat = statSync(place)
  if (!stat.isDirectory()) return stat.mtimeMs
  return readdirSync(place).reduce((newest, name) => Math.max(newest, newestIn(path.join(place, name))), stat.mtimeMs)
}
