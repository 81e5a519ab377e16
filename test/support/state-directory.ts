/** What is kept of logs on servers is nothing for the home of whoever runs the tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** Before the processes of the tests are started; they inherit the environment. */
export function setup(): () => void {
  const directory = mkdtempSync(path.join(tmpdir(), 'verdict-state-'))
  process.env.XDG_STATE_HOME = directory
  return () => rmSync(directory, { recursive: true, force: true })
}
