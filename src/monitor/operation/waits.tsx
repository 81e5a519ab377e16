/** Who waits for it: each wait with what else is missing in it. */
import type { WaitView } from '../../authority/wait-view.ts'
import { operationHref } from '../route.ts'
import { Ago } from '../time-text.tsx'
import type { OperationPlace, ToldOutlook } from './told-operation.ts'

/** Members of a wait that are named. */
const NAMED_MAX = 10

export function Waits({
  place,
  outlook: { waits },
}: {
  readonly place: OperationPlace
  readonly outlook: ToldOutlook
}) {
  if (waits.length === 0) return <p class="muted">Nobody waits for it together with others.</p>
  return (
    <ul class="waits">
      {waits.map((wait) => (
        <Wait key={wait.waitId} place={place} wait={wait} />
      ))}
    </ul>
  )
}

function Wait({ place, wait }: { readonly place: OperationPlace; readonly wait: WaitView }) {
  const { waitId, mode, runId, members, deadlineAt } = wait
  const missing = members.filter(({ terminalRevision }) => terminalRevision === undefined)
  const others = missing.filter(({ id }) => id !== place.id)
  return (
    <li>
      <strong>
        <bdi>{waitId}</bdi>
      </strong>{' '}
      waits for {mode === 'all' ? `all of ${members.length}` : `the first of ${members.length}`}
      {runId !== undefined && (
        <>
          {' '}
          in the run <bdi>“{runId}”</bdi>
        </>
      )}
      : {members.length - missing.length} ended, gives up <Ago at={deadlineAt} />.
      {others.length > 0 && (
        <>
          {' '}
          Also missing:{' '}
          {others.slice(0, NAMED_MAX).map(({ id, number }) => (
            <a key={number} class="label" href={operationHref({ workspace: place.workspace, owner: place.owner, id })}>
              <bdi>{id}</bdi>
            </a>
          ))}
          {others.length > NAMED_MAX && `and ${others.length - NAMED_MAX} more`}
        </>
      )}
    </li>
  )
}
