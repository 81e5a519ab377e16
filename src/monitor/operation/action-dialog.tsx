/**
 * One action, asked for: what comes of it, a reason, and where it can't be mended the consequence typed. The same wish has the same
 * idempotency key, so that pressing again after a lost answer has one effect.
 */
import { useSignal } from '@preact/signals'
import { useEffect, useId, useRef } from 'preact/hooks'
import type { OperatorAction } from '../../authority/outlook.ts'
import type { WireAnswer } from '../../wire/command-wire.ts'
import { announce } from '../announcer.tsx'
import { post } from '../api.ts'
import { Dialog } from '../dialog.tsx'
import { toldOf } from '../error-page.tsx'
import {
  ACTION_NAMES,
  type ActionSubject,
  consequence,
  phaseResults,
  requestOf,
  typedConsequence,
} from './action-requests.ts'
import { curlOfCommand } from './command-texts.ts'
import { CopyButton } from './copy-button.tsx'

/** As the server bounds them. */
const REASON_LENGTH_MAX = 1_024

export interface DoneAction {
  readonly told: string
  /** Of the operation that was registered. */
  readonly newId?: string
}

interface Props {
  readonly action: OperatorAction
  readonly subject: ActionSubject
  readonly onClose: () => void
  readonly onDone: (done: DoneAction) => void
}

export function ActionDialog({ action, subject: given, onClose, onDone }: Props) {
  // As it was when the dialog was opened: what is confirmed does not change under the hand.
  const { current: subject } = useRef(given)
  const reason = useSignal('')
  const typed = useSignal('')
  const withPhaseResults = useSignal(true)
  const isSending = useSignal(false)
  const error = useSignal<unknown>(undefined)
  const keys = useRef(new Map<string, string>())
  const first = useRef<HTMLTextAreaElement>(null)
  const [described, reasonId, typedId] = [useId(), useId(), useId()]
  useEffect(() => first.current?.focus(), [])

  const toType = typedConsequence(action, subject)
  const isReady = reason.value.trim() !== '' && (toType === undefined || typed.value.trim().toLowerCase() === toType)
  const request = () =>
    requestOf(action, subject, { reason: reason.value.trim(), withPhaseResults: withPhaseResults.value })
  const send = async () => {
    if (!isReady || isSending.value) return
    const { path, body } = request()
    const text = JSON.stringify(body)
    const key = keys.current.get(text) ?? newKey()
    keys.current.set(text, key)
    isSending.value = true
    error.value = undefined
    try {
      const done = doneBy(action, await post<WireAnswer>(path, body, { idempotencyKey: key }))
      announce(done.told)
      onDone(done)
    } catch (thrown) {
      error.value = thrown
    } finally {
      isSending.value = false
    }
  }
  const results = Object.keys(phaseResults(subject)).length
  return (
    <Dialog title={ACTION_NAMES[action]} onClose={onClose}>
      <form
        class="action-form"
        aria-describedby={described}
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
      >
        <p>
          <bdi class="mono">{subject.place.id}</bdi>
        </p>
        <p id={described} class="action-consequence">
          {consequence(action, subject)}
        </p>
        <label for={reasonId}>Reason, for the log (required)</label>
        <textarea
          ref={first}
          id={reasonId}
          class="field"
          rows={2}
          required
          maxLength={REASON_LENGTH_MAX}
          value={reason.value}
          onInput={({ currentTarget }) => {
            reason.value = currentTarget.value
          }}
        />
        {action === 'retry' && results > 0 && (
          <label class="check">
            <input
              type="checkbox"
              checked={withPhaseResults.value}
              onChange={({ currentTarget }) => {
                withPhaseResults.value = currentTarget.checked
              }}
            />{' '}
            Take over the results of {results === 1 ? 'one completed phase' : `${results} completed phases`}
          </label>
        )}
        {toType !== undefined && (
          <>
            <label for={typedId}>
              It will be <strong>{toType}</strong>, which can't be undone. Type “{toType}” to confirm
            </label>
            <input
              id={typedId}
              class="field"
              autocomplete="off"
              spellcheck={false}
              value={typed.value}
              onInput={({ currentTarget }) => {
                typed.value = currentTarget.value
              }}
            />
          </>
        )}
        {error.value !== undefined && <Refused error={error.value} />}
        <p class="action-buttons">
          <button type="submit" class="button button-primary" disabled={!isReady || isSending.value}>
            {isSending.value ? 'Sending …' : ACTION_NAMES[action]}
          </button>
          <button type="button" class="button" onClick={onClose}>
            Leave it
          </button>
          {isReady && <CopyButton name="Copy as curl" text={curlOfCommand(window.location.origin, request())} />}
        </p>
      </form>
    </Dialog>
  )
}

function Refused({ error }: { readonly error: unknown }) {
  const { title, told, whatToDo } = toldOf(error)
  const isUnknown = !(error instanceof Error && error.name === 'ApiProblem')
  return (
    <div class="error-told" role="alert">
      <strong>{title}.</strong> {told}{' '}
      {isUnknown ? 'Whether it was done is not known: press again, it is the same wish and has one effect.' : whatToDo}
    </div>
  )
}

function doneBy(action: OperatorAction, { id, position, changed, joined, unchanged, status }: WireAnswer): DoneAction {
  if (!changed && joined !== true) {
    return { told: `Nothing was changed: ${unchanged?.message ?? 'it was so already'} (position ${position}).` }
  }
  if (action !== 'retry') {
    const now = status === undefined ? '' : ` It is ${status} now.`
    return { told: `${ACTION_NAMES[action]}: done, on record at position ${position}.${now}` }
  }
  const told =
    joined === true
      ? 'An active operation holds its key already: it was joined, and nothing new was registered.'
      : `A new operation was registered, at position ${position}.`
  return id === undefined ? { told } : { told, newId: id }
}

/** `crypto.randomUUID` is there on secure pages only; this is everywhere. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return `monitor-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}
