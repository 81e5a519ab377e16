/**
 * Compiled code is kept, beside the packages that most of it is from: every process and every thread of the tests loads the same
 * modules, and compiling them would be half of what most of those cost. What has changed is compiled anew.
 */
import path from 'node:path'

/** Before the processes of the tests are started; they inherit the environment. */
export function setup(): void {
  process.env.NODE_COMPILE_CACHE ??= path.resolve(import.meta.dirname, '../../node_modules/.cache/compiled-code')
}
