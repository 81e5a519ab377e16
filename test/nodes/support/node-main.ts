/** A node in a process of its own, asked over the channel to its parent (node-protocol.ts). Argument: the log's place. */
import { openNode } from '../../../src/app.ts'
import { NODE_OPTIONS } from './node-options.ts'
import { type Asked, type Reply, type Request, type Said, WORKSPACE } from './node-protocol.ts'

const [, , place = ''] = process.argv
const { door } = await openNode(place, NODE_OPTIONS)
process.on('message', (message) => void answer(message as Asked)) // as its parent sends
// Nobody is left to ask, nor to end it.
process.on('disconnect', () => process.exit())
say({ type: 'ready' })

async function answer({ request, asked }: Asked): Promise<void> {
  let reply: Reply
  try {
    reply = { type: 'told', value: await told(request, asked) }
  } catch (error) {
    const { name, message, code } = error as Error & { readonly code?: string } // a door throws errors
    reply = { type: 'threw', name, message, ...(code === undefined ? {} : { code }) }
  }
  say({ type: 'reply', request, reply })
  if (asked.do === 'close') process.disconnect()
}

async function told(request: number, asked: Request): Promise<Extract<Reply, { type: 'told' }>['value']> {
  if (asked.do === 'close') {
    await door.close()
    return undefined
  }
  const registry = { workspace: WORKSPACE, owner: asked.owner }
  switch (asked.do) {
    case 'send':
      return door.send(registry, asked.command, { commandId: asked.commandId })
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
    case 'listen': {
      const { id, leaseEpoch } = asked
      door.onLease(registry, { id, leaseEpoch }, (cause) => say({ type: 'notice', request, cause }))
      return undefined
    }
    default:
      return asked satisfies never
  }
}

function say(said: Said): void {
  process.send?.(said)
}
