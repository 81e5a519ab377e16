/** How an operation stands by now, as far as its outcome goes: what is asked for one by one, and for many at once. */
import type { Outcome } from '../authority/operation.ts'
import type { RegistryAddress } from '../authority/questions.ts'
import type { PresentStatus } from '../authority/status.ts'
import { answeredOrThrow } from './commands.ts'
import type { Host } from './host.ts'

/**
 * Without waiting: of one that is not held any more the log still knows the outcome, and tells it at once. Throws RequestRefused
 * `not_found`.
 */
export async function outcomeNow(
  { door }: Pick<Host, 'door'>,
  registry: RegistryAddress,
  id: string,
): Promise<{ readonly status: PresentStatus; readonly outcome?: Outcome }> {
  const held = await door.snapshot(registry, id)
  if (held === undefined) return answeredOrThrow(await door.outcome(registry, id))
  return { status: held.status, ...(held.outcome === undefined ? {} : { outcome: held.outcome }) }
}
