/** A task of the plan as an operation's function: its command runs, its output tells the progress, its end is the end. */
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { CommandFailed } from '../../src/cli/command-failed.ts'
import { startCommand } from '../../src/cli/command-process.ts'
import { OutputProgress } from '../../src/cli/output-progress.ts'
import type { Attempt } from '../../src/index.ts'
import type { Task } from './plan.ts'

export function commandOf(task: Task, folder: string) {
  return async ({ signal, progress }: Attempt<unknown>) => {
    signal.throwIfAborted()
    const lines = new OutputProgress(progress)
    const log = createWriteStream(path.join(folder, `${task.id}.log`), { flags: 'a' })
    const command = startCommand(process.execPath, task.args, {
      stdin: 'pipe',
      stdout: log,
      stderr: log,
      onOutput: (_stream, bytes) => lines.take(bytes),
      graceMs: 2_000,
    })
    signal.addEventListener('abort', () => command.stop(), { once: true })
    const end = await command.ended
    log.end()
    lines.end()
    if (end.type === 'exited' && end.exitCode === 0) return { exitCode: 0 }
    if (end.type !== 'not_started' && end.wasStopped) throw signal.reason
    throw new CommandFailed(task.name, end)
  }
}
