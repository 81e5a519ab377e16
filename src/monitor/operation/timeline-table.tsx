/** The line of time as a table, in the order of time. */
import type { OperationTimeline, Stretch } from '../../authority/timeline.ts'
import { shortDuration, utcSecond } from '../times.ts'
import { Scroller } from './scroller.tsx'

interface Row extends Stretch {
  readonly what: string
  readonly attempt?: number
  readonly told: string
}

export function TimelineTable({
  timeline,
  untilAt,
}: {
  readonly timeline: OperationTimeline
  readonly untilAt: number
}) {
  const rows = rowsOf(timeline)
  return (
    <details class="as-table">
      <summary>The same as a table</summary>
      <Scroller class="table-scroll" label="Timeline as a table">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">What</th>
              <th scope="col">Attempt</th>
              <th scope="col">From (UTC)</th>
              <th scope="col">For</th>
              <th scope="col">Ended</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ what, attempt, fromAt, untilAt: ended, told }) => (
              <tr key={`${what} ${attempt} ${fromAt}`}>
                <th scope="row">
                  <bdi>{what}</bdi>
                </th>
                <td>{attempt ?? ''}</td>
                <td class="time">{utcSecond(fromAt)}</td>
                <td class="time">{shortDuration((ended ?? untilAt) - fromAt)}</td>
                <td>{told}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroller>
    </details>
  )
}

function rowsOf({ queued, attempts, phases, silences, marks }: OperationTimeline): readonly Row[] {
  const rows: Row[] = [
    ...queued.map((one) => ({ ...one, what: 'In the queue', told: one.untilAt === undefined ? 'goes on' : '' })),
    ...attempts.map((one) => ({ ...one, what: 'Attempt', told: one.ending ?? 'goes on' })),
    ...phases.map((one) => ({ ...one, what: `Phase ${one.phase}`, told: one.ending ?? 'goes on' })),
    ...silences.map((one) => ({
      ...one,
      what: 'Silence',
      told: `${one.freshness === 'late' ? 'late' : 'likely stale'}${one.untilAt === undefined ? ', goes on' : ''}`,
    })),
    ...marks.map(({ at, type }) => ({ fromAt: at, untilAt: at, what: type, told: '' })),
  ]
  return rows.sort((a, b) => a.fromAt - b.fromAt)
}
