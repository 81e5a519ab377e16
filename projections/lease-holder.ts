/**
 * The name under which a process holds leases. It says which process that is, so that another one of the same machine need not wait
 * for the lease of one that was killed: who starts again after a crash follows at once.
 *
 *     <boot>/<namespace of process ids>/<process id>/<start of the process>/<random>
 *
 * Where the kernel does not tell these things (Linux does), and for processes of another container, a lease has to run out.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'

/** Another one each time; more may be put behind it. */
export function newLeaseHolder(): string {
  return [...machine(), process.pid, startOf(process.pid)?.ticks ?? '', randomUUID()].join('/')
}

/** Whether the process that has this name is known to be no more. False where nobody can know. */
export function isHolderGone(holder: string): boolean {
  const [boot, namespace, id, start] = holder.split('/')
  const [ourBoot, ourNamespace] = machine()
  if (start === undefined || start === '' || boot !== ourBoot || namespace !== ourNamespace) return false
  const pid = Number(id)
  try {
    process.kill(pid, 0)
  } catch (error) {
    // What may not be signalled is there.
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return true
  }
  const now = startOf(pid)
  return now !== undefined && (now.hasEnded || now.ticks !== start)
}

/** Process ids mean something within one boot and one namespace. */
function machine(): readonly [string, string] {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return [boot, readlinkSync('/proc/self/ns/pid')]
  } catch {
    return ['', '']
  }
}

/** When a process began, in ticks since boot: a process id is used again, but not with the same start. */
function startOf(pid: number): { readonly ticks: string; readonly hasEnded: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is a name that may hold anything, in brackets.
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = fields[START_BEHIND_STATE]
    return ticks === undefined ? undefined : { ticks, hasEnded: ENDED_STATES.includes(state) }
  } catch {
    return undefined
  }
}

/** proc_pid_stat(5): the state is field 3, the start is field 22. */
const START_BEHIND_STATE = 18
/** A zombie, and what is just being taken away. */
const ENDED_STATES: readonly string[] = ['Z', 'X']
