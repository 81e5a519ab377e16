/** How V8 places new objects, for processes that are ours. */
import { setFlagsFromString } from 'node:v8'

/**
 * Has V8 make every object among the young ones. Else it makes those of a place where many survived among the old ones, dead or not,
 * until the next full collection: events and states are such objects, the dead ones held what they refer to, and a server under
 * load copied more than half of all that it had allocated, and kept three times what it needed. For the whole process and all of
 * its threads, so for whoever starts it to decide.
 */
export function keepNewObjectsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
}
