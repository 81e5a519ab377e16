import { accessSync, constants } from 'node:fs'
import path from 'node:path'

/**
 * Whether a program that a suite drives is on this machine, for `describe.skipIf(!needs('strace'))`. When it is missing
 * the tests are skipped aloud, with the line that installs it (`debianPackage` where it is named otherwise); with
 * VERDICT_SKIPS_FAIL=1, as in CI, the file fails instead.
 */
export function needs(program: string, debianPackage = program): boolean {
  if (isOnPath(program, process.env.PATH)) return true
  const sentence = `${program} is not on this machine; its tests need it: apt-get install ${debianPackage}`
  if (process.env.VERDICT_SKIPS_FAIL === '1') throw new Error(sentence)
  process.stderr.write(`SKIPPED: ${sentence}\n`)
  return false
}

declare module 'vitest' {
  interface TaskMeta {
    /** The environment variable with the address of the server that this test needs. */
    needsServer?: string
  }
}

/**
 * The address of a server that nobody can be expected to have, from an environment variable; undefined is said aloud. The
 * skipped test that stands for its suite names the variable in its `meta.needsServer`: it fails nothing, not even in CI.
 */
export function serverAt(variable: string, example: string): string | undefined {
  const address = process.env[variable]
  if (address) return address
  process.stderr.write(`SKIPPED: the tests against a real server; start one and set ${variable}=${example}\n`)
  return undefined
}

function isOnPath(program: string, searchPath = ''): boolean {
  return searchPath.split(path.delimiter).some((folder) => isExecutable(path.join(folder, program)))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
