/** What a client wants, asked of a node's door: the embedded one in its process, or a shell. */
import type { SendOptions, VerdictDoor } from '../../../src/client/door.ts'
import { type Answers, type Request, WORKSPACE } from './node-protocol.ts'

/** Asked once and answered once. */
export type Question = Exclude<Request, { readonly do: 'listen' | 'close' }>

export async function askDoor(
  door: Pick<VerdictDoor, Question['do']>,
  asked: Question,
  sender: Pick<SendOptions, 'actor'> = {},
): Promise<Answers[Question['do']]> {
  const registry = { workspace: WORKSPACE, owner: asked.owner }
  switch (asked.do) {
    case 'send':
      return door.send(registry, asked.command, { ...sender, commandId: asked.commandId })
    case 'snapshot':
      return door.snapshot(registry, asked.id)
    case 'overview':
      return door.overview(registry)
    case 'outcome':
      return door.outcome(registry, asked.id)
    case 'wait': {
      const { mode, ids, waitId, deadlineAt } = asked
      return door.wait(registry, { mode, ids, waitId, ...(deadlineAt === undefined ? {} : { deadlineAt }) })
    }
    default:
      return asked satisfies never
  }
}
