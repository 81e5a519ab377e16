/**
 * What happened before the demo began: two weeks of a little, an hour of more, so that charts have something to show. Written by
 * the ordinary API over a clock that is moved by hand.
 */
import { type OperationHandle, openVerdict } from '../../src/index.ts'
import { HandMovedClock } from '../../src/testing.ts'
import type { Chance } from './chance.ts'
import { KINDS } from './kinds.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const DAYS = 14
const ENDED_LONG_AGO = 60
const ENDED_IN_LAST_HOUR = 140
/** The past ends before the present begins, in which nothing of it is under way. */
const QUIET_MS = 1.5 * MINUTE

const USUAL = [
  ['export', 'acme', 'Orders'],
  ['sync', 'globex', 'Contacts'],
  ['tool_call', 'research', 'search_web'],
  ['tool_call', 'research', 'read_file'],
  ['agent', 'research', 'Summarise the week'],
] as const

/** Of what ended long ago nobody looks at the phases. */
const WITHOUT_PHASES = Object.fromEntries(
  Object.entries(KINDS).map(([kind, { phases: _phases, ...rest }]) => [kind, rest]),
)

interface Step {
  readonly at: number
  readonly take: () => Promise<unknown>
}

/** Everything in it has ended by `until` (epoch ms). */
export async function writePast(location: string, chance: Chance, until: number): Promise<void> {
  const clock = new HandMovedClock(until - DAYS * DAY)
  const quiet = { reconciler: false, readModels: { follow: 'never' } } as const
  await using verdict = await openVerdict(location, { ...quiet, clock, kinds: WITHOUT_PHASES, actor: 'demo' })
  const steps: Step[] = []
  for (let i = 0; i < ENDED_LONG_AGO; i++) live(until - chance.whole(2 * 60 * MINUTE, DAYS * DAY))
  for (let i = 0; i < ENDED_IN_LAST_HOUR; i++) live(until - chance.whole(QUIET_MS + MINUTE, 60 * MINUTE))
  for (const { at, take } of steps.sort((a, b) => a.at - b.at)) {
    clock.sleep(Math.max(0, at - clock.now()))
    await take()
  }

  function live(at: number): void {
    const [kind, owner, name] = chance.among(USUAL)
    const waitMs = chance.whole(50, 2_000)
    const runMs = kind === 'tool_call' ? chance.whole(300, 4_000) : chance.whole(4_000, 50_000)
    const fate = chance.next()
    let handle: OperationHandle
    let leaseEpoch = 0
    const say = (when: number, take: () => Promise<unknown>) => steps.push({ at: when, take })
    say(at, async () => {
      handle = await verdict.register(kind, { owner, name, labels: { origin: 'schedule' } })
    })
    say(at + waitMs, async () => {
      using lease = await verdict.claim({ owner, id: handle.id })
      leaseEpoch = lease.leaseEpoch
      await lease.progress({ message: 'begun' })
    })
    const endAt = at + waitMs + runMs
    if (fate < 0.07) {
      say(at + waitMs + MINUTE, () =>
        handle.reconcile({
          evidence: { rule: 'sign', attempt: 1, lastRevision: 0, judgedAt: clock.now(), graceMs: 0 },
          reasonCode: 'run.stale_running',
          disposition: { type: 'fail' },
        }),
      )
    } else if (fate < 0.17) {
      say(endAt, () => handle.fail({ message: 'the other side answered 502', code: 'bad_gateway' }, { leaseEpoch }))
    } else if (fate < 0.21) {
      say(endAt, () => handle.forceCancel({ reason: 'not needed any more' }))
    } else {
      say(endAt, () => handle.complete({ rows: chance.whole(10, 9_000) }, { leaseEpoch }))
    }
  }
}
