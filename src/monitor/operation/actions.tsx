/** What may be done with it now, by whom; what may not says why, in the words of the server. */
import { useSignal } from '@preact/signals'
import type { OperatorAction } from '../../authority/outlook.ts'
import { operationHref } from '../route.ts'
import { ActionDialog, type DoneAction } from './action-dialog.tsx'
import { ACTION_NAMES, type ActionSubject } from './action-requests.ts'
import type { ToldAction } from './told-operation.ts'

interface Props {
  readonly subject: ActionSubject
  readonly onDone: () => void
}

export function Actions({ subject, onDone }: Props) {
  const open = useSignal<OperatorAction | undefined>(undefined)
  const done = useSignal<DoneAction | undefined>(undefined)
  const { outlook, place } = subject
  return (
    <>
      <ul class="actions">
        {outlook.actions.map((offered) => (
          <Offered
            key={offered.action}
            offered={offered}
            workspace={outlook.workspace}
            onOpen={() => {
              done.value = undefined
              open.value = offered.action
            }}
          />
        ))}
      </ul>
      {done.value !== undefined && (
        <p class="done" role="status">
          {done.value.told}{' '}
          {done.value.newId !== undefined && (
            <a href={operationHref({ workspace: place.workspace, owner: place.owner, id: done.value.newId })}>
              Go to <bdi>{done.value.newId}</bdi>
            </a>
          )}
        </p>
      )}
      {open.value !== undefined && (
        <ActionDialog
          action={open.value}
          subject={subject}
          onClose={() => {
            open.value = undefined
          }}
          onDone={(what) => {
            done.value = what
            open.value = undefined
            onDone()
          }}
        />
      )}
    </>
  )
}

function Offered({
  offered,
  workspace,
  onOpen,
}: {
  readonly offered: ToldAction
  readonly workspace: string
  readonly onOpen: () => void
}) {
  const { action } = offered
  const why = whyNot(offered, workspace)
  const id = `why-not-${action}`
  const danger = action === 'force-cancel' || action === 'reconcile' ? ' button-danger' : ''
  return (
    <li>
      <button
        type="button"
        class={`button${danger}`}
        disabled={why !== undefined}
        aria-describedby={why === undefined ? undefined : id}
        onClick={onOpen}
      >
        {ACTION_NAMES[action] ?? action}
      </button>
      {why !== undefined && (
        <span class="muted" id={id}>
          {why}
        </span>
      )}
    </li>
  )
}

function whyNot({ isEntitled, isLegal, roles, refusal }: ToldAction, workspace: string): string | undefined {
  if (!isEntitled)
    return `Your roles in the workspace “${workspace}” do not allow it; one of these does: ${roles.join(', ')}.`
  if (isLegal) return undefined
  const told = refusal?.message ?? 'it is not possible now'
  return `${told[0]?.toUpperCase()}${told.slice(1)}.`
}
