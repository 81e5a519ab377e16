/** An action of a command line over a log: what it tells is printed, Ctrl-C breaks it off, what it throws is said in a sentence. */
import type { EmbeddedNode } from '../app/embedded-node.ts'
import type { OpenOptions } from '../app/open-options.ts'
import { openNode } from '../app.ts'
import { EXIT_OURS } from './exit-codes.ts'

/** What was found, as data and for people, and the exit code. */
export interface Told {
  readonly answer: unknown
  readonly lines: readonly string[]
  readonly code: number
}

export interface ToldActionOptions extends OpenOptions {
  /** The answer as text for programs; undefined where people read. */
  readonly asJson: ((answer: unknown) => string) | undefined
}

/** Opens the log at this place, which has to be there, and closes it behind the action. The exit code. */
export async function toldAction(
  location: string,
  action: (node: EmbeddedNode, signal: AbortSignal) => Promise<Told> | Told,
  { asJson, ...options }: ToldActionOptions,
): Promise<number> {
  const leaving = new AbortController()
  const leave = () => leaving.abort(new Error('cancelled'))
  process.once('SIGINT', leave)
  process.once('SIGTERM', leave)
  try {
    const node = await openNode(location, { ...options, mustExist: true })
    try {
      const { answer, lines, code } = await action(node, leaving.signal)
      process.stdout.write(asJson === undefined ? lines.map((line) => `${line}\n`).join('') : `${asJson(answer)}\n`)
      return code
    } finally {
      await node.door.close()
    }
  } catch (error) {
    process.stderr.write(`verdict: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT_OURS
  } finally {
    process.off('SIGINT', leave)
    process.off('SIGTERM', leave)
  }
}

/** Positions as texts, for `JSON.stringify`. */
export function positionAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
