/** The port to the queue underneath a kind: the one who may know more than silence does. Asked only of what is due. */
import { type Clock, sleep } from '../runtime/clock.ts'
import type { Candidate } from './candidates.ts'
import type { Testimony } from './judgement.ts'

/** Which operation's job is asked for. */
export type WitnessQuestion = Pick<Candidate, 'workspace' | 'owner' | 'id' | 'number' | 'kind' | 'status' | 'attempt'>

/** The signal aborts when nobody waits for the answer any more. */
export type Witness = (operation: WitnessQuestion, signal: AbortSignal) => Promise<Testimony> | Testimony

const UNKNOWN: Testimony = { answer: 'unknown' }

/** What the witness says; one that fails or takes too long knows nothing. */
export async function ask(
  witness: Witness,
  { workspace, owner, id, number, kind, status, attempt }: Candidate,
  { clock, timeoutMs, signal }: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Testimony> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  try {
    const question = { workspace, owner, id, number, kind, status, attempt }
    const tooLate = sleep(clock, timeoutMs, either).then(() => UNKNOWN)
    const answer = Promise.resolve(witness(question, either))
    // The one that loses has nobody to tell.
    tooLate.catch(() => {})
    answer.catch(() => {})
    return await Promise.race([answer, tooLate])
  } catch {
    return UNKNOWN
  } finally {
    over.abort()
  }
}
