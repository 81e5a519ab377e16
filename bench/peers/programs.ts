/** The programs of Debian that peers keep their data in, and the line that installs one that is missing. */
import { accessSync, constants, globSync } from 'node:fs'
import path from 'node:path'

export type ProgramName = 'redis-server' | 'postgres'

const PACKAGES: Readonly<Record<ProgramName, string>> = { 'redis-server': 'redis-server', postgres: 'postgresql' }
/** Where Debian keeps what is not for everybody's PATH. */
const FOLDERS_OF_POSTGRES = '/usr/lib/postgresql/*/bin'

/** The folders that are looked in, as a PATH: the newest PostgreSQL first of those that are not on the PATH. */
export function searchPath(): string {
  const folders = globSync(FOLDERS_OF_POSTGRES).toSorted((one, other) => majorOf(other) - majorOf(one))
  return [process.env.PATH ?? '', ...folders].join(path.delimiter)
}

/** Where it is; undefined where it is not on this machine. */
export function programAt(program: string): string | undefined {
  return searchPath()
    .split(path.delimiter)
    .map((folder) => path.join(folder, program))
    .find(isExecutable)
}

/** What is to be said of a program that is not there; undefined where it is. */
export function missingProgram(program: ProgramName): string | undefined {
  if (programAt(program) !== undefined) return undefined
  return `${program} is not on this machine: apt-get install ${PACKAGES[program]}`
}

function majorOf(folder: string): number {
  return Number(path.basename(path.dirname(folder)))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
