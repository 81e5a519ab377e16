/** The two ends of an operation's life, for tables that have a row for each. */
import { outcomeIn } from '../src/authority/terminal-facts.ts'
import type { ProjectedEvent } from './projection.ts'

/** Its row has the revision of this event in its key: nothing of it was there before. */
export function lifeBegins({ event }: ProjectedEvent): boolean {
  return event.type === 'OperationRegistered'
}

/** Behind it comes but a late report that contradicts it, if anything. */
export function lifeEnds({ event }: ProjectedEvent): boolean {
  return event.type === 'RegistrationRolledBack' || outcomeIn(event) !== undefined
}
