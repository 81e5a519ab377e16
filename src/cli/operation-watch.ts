/** `verdict operations watch`: the progress of one operation until it has ended. */
import type { Verdict } from '../client/verdict.ts'
import { operationPage, progressOf, standingOf } from './operation-lines.ts'
import { ProgressBar } from './progress-bar.ts'

const EXIT_OTHERWISE = 1

/** A line for each change; on a terminal a bar over them. The exit code says whether it completed. */
export async function watchOperation(verdict: Verdict, id: string, isJson: boolean): Promise<number> {
  const handle = verdict.operation(id)
  const bar = new ProgressBar(process.stderr)
  const ended = new AbortController()
  let last = ''
  const look = async () => {
    const now = await handle.snapshot()
    if (now === undefined) return
    const { progress, name } = now
    const { processed, total, percent, message = '' } = progress
    if (total !== undefined && processed !== undefined) bar.draw(processed, total, `${name} ${message}`)
    else if (percent !== undefined) bar.draw(percent, 100, `${name} ${message}`)
    const line = [standingOf(now), progressOf(progress), message].filter(Boolean).join(' ')
    if (line !== last && !isJson && !process.stderr.isTTY) process.stderr.write(`${line}\n`)
    last = line
  }
  const following = (async () => {
    for await (const _event of verdict.events({ operation: id, after: 'now', signal: ended.signal })) await look()
  })().catch((error: unknown) => {
    if (!ended.signal.aborted) throw error
  })
  try {
    await look()
    const outcome = await handle.outcome()
    ended.abort()
    await following
    bar.clear()
    const now = await handle.snapshot()
    const page = now === undefined ? `${id} ${outcome.status}\n` : operationPage(now)
    process.stdout.write(isJson ? `${JSON.stringify({ id, ...outcome }, null, 2)}\n` : page)
    return outcome.status === 'completed' ? 0 : EXIT_OTHERWISE
  } finally {
    ended.abort()
    bar.clear()
  }
}
