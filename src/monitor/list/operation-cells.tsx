/** What a row or a card tells of an operation, piece by piece. All of it is text of others: shown as text. */
import type { ListedOperation } from '../../authority/monitoring.ts'
import { StandingBadges } from '../badges.tsx'
import { ProgressBar } from '../progress-bar.tsx'
import { operationHref } from '../route.ts'
import { Ago, Since, Took } from '../time-text.tsx'
import { absoluteTime } from '../times.ts'
import type { Row } from './list-store.ts'

const DEFAULT_WORKSPACE = 'default'
/** Of an id; the whole of it is its title. Ids that begin with their time differ at their end. */
const SHORT_ID_LENGTH = 13
const HEAD_LENGTH = 8
const TAIL_LENGTH = 4

interface Of {
  readonly operation: ListedOperation
}

export function None() {
  return (
    <span class="muted" aria-hidden="true">
      –
    </span>
  )
}

export function StandingCell({ row: { operation, standing } }: { readonly row: Row }) {
  return (
    <>
      <StandingBadges {...operation} />
      {standing === 'left' && <span class="row-note">left this view</span>}
      {standing === 'gone' && <span class="row-note">not listed any more</span>}
    </>
  )
}

export function NameLink({ operation }: Of) {
  const { name, number } = operation
  return (
    <a class="row-link" href={operationHref({ ...operation, number })} title={name}>
      {name}
    </a>
  )
}

export function IdText({ operation: { id } }: Of) {
  const short = id.length > SHORT_ID_LENGTH ? `${id.slice(0, HEAD_LENGTH)}…${id.slice(-TAIL_LENGTH)}` : id
  return (
    <span class="mono" title={id}>
      {short}
    </span>
  )
}

export function OwnerText({ operation: { workspace, owner } }: Of) {
  const shown = workspace === DEFAULT_WORKSPACE ? owner : `${workspace} / ${owner}`
  return <span title={`${workspace} / ${owner}`}>{shown}</span>
}

/** "2/4 write": of how many only where the kind says so; a bar only from numbers that can be trusted. */
export function PhaseCell({ operation }: Of) {
  const { phases, phasesCompleted, phasesTotal, progress, name } = operation
  const current = phases.find(({ status }) => status === 'started' || status === 'failed' || status === 'interrupted')
  const counted = phasesTotal === undefined ? undefined : `${phasesCompleted}/${phasesTotal}`
  const words = [counted, current?.name].filter((word) => word !== undefined).join(' ')
  const { percent, processed, total, message } = progress
  if (words === '' && percent === undefined) return <None />
  return (
    <span class="phase" title={[words, message].filter(Boolean).join(': ')}>
      <span class="phase-words">
        <span class="phase-name">{words}</span>
        {percent !== undefined && <span class="phase-percent">{Math.floor(percent)} %</span>}
      </span>
      {percent !== undefined && (
        <ProgressBar percent={percent} label={`Progress of ${name}: ${processed} of ${total}`} />
      )}
    </span>
  )
}

export function InStatusCell({ operation: { statusSinceAt } }: Of) {
  return <Since at={statusSinceAt} />
}

export function LastSignCell({ operation: { judgement } }: Of) {
  return judgement.lastSignAt === undefined ? <None /> : <Ago at={judgement.lastSignAt} />
}

export function StartedCell({ operation: { startedAt } }: Of) {
  return startedAt === undefined ? <None /> : <Ago at={startedAt} />
}

export function EndedCell({ operation: { completedAt } }: Of) {
  return completedAt === undefined ? <None /> : <Ago at={completedAt} />
}

/** From its first start to its end, or to now. */
export function DurationCell({ operation: { startedAt, completedAt } }: Of) {
  if (startedAt === undefined) return <None />
  if (completedAt === undefined) return <Since at={startedAt} />
  return <Took ms={completedAt - startedAt} title={`${absoluteTime(startedAt)} to ${absoluteTime(completedAt)}`} />
}

/** Why it was ended by others, or what threatens it; undefined where there is nothing to say. */
export function reasonOf({ reason, explanation, judgement: { freshness }, status, cancel }: ListedOperation) {
  if (reason !== undefined) return { title: reason.code, text: reason.sentence }
  const isThreatened = freshness === 'late' || freshness === 'likely_stale'
  const isToEnd = cancel !== undefined && freshness !== 'terminal'
  const isEndedBadly = freshness === 'terminal' && status !== 'completed'
  return isThreatened || isToEnd || isEndedBadly ? { title: explanation, text: explanation } : undefined
}

export function ReasonCell({ operation }: Of) {
  const reason = reasonOf(operation)
  return reason === undefined ? <None /> : <span title={reason.title}>{reason.text}</span>
}
