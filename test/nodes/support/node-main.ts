/** A node in a process of its own, asked over the channel to its parent (node-protocol.ts). Argument: the log's place. */
import { openNode } from '../../../src/app.ts'
import type { LeaseCause } from '../../../src/client/door.ts'
import { createLogger } from '../../../src/runtime/logger.ts'
import type { WarningLog } from '../../../src/runtime/warning-log.ts'
import { askDoor } from './ask-door.ts'
import { NODE_OPTIONS } from './node-options.ts'
import { type Answers, type Asked, type Reply, type Request, type Said, WORKSPACE } from './node-protocol.ts'

const [, , place = ''] = process.argv
const complaints = createLogger('warn')
const log: WarningLog = {
  warn(facts, message) {
    // That there is room for few registries is wanted here.
    if (!('reloads' in facts)) complaints.warn(facts, message)
  },
}
const { door } = await openNode(place, { ...NODE_OPTIONS, log })
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

async function told(request: number, asked: Request): Promise<Answers[Request['do']]> {
  if (asked.do === 'close') {
    await door.close()
    return undefined
  }
  if (asked.do === 'listen') {
    const { owner, id, leaseEpoch } = asked
    const notice = (cause: LeaseCause) => say({ type: 'notice', request, cause })
    door.onLease({ workspace: WORKSPACE, owner }, { id, leaseEpoch }, notice)
    return undefined
  }
  return askDoor(door, asked)
}

function say(said: Said): void {
  process.send?.(said)
}
