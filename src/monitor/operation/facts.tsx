/** What is known of it, name by name. */
import type { ComponentChildren } from 'preact'
import { now } from '../clock.ts'
import { ProgressBar } from '../progress-bar.tsx'
import { operationHref } from '../route.ts'
import { Ago, Took } from '../time-text.tsx'
import { absoluteTime, shortDuration } from '../times.ts'
import { workerOf } from './guidance.ts'
import { JsonText } from './json-text.tsx'
import type { ToldOperation } from './told-operation.ts'

export function Facts({ operation }: { readonly operation: ToldOperation }) {
  const { registeredAt, startedAt, completedAt, attempt, lease, progress, phases, phasesCompleted, phasesTotal } =
    operation
  const { labels, key, source, retryOf, notBeforeAt, cancel, judgement, peer, input, outcome, diagnostics } = operation
  const names = Object.entries(labels)
  return (
    <dl class="facts">
      <Fact name="Registered">
        <When at={registeredAt} />
      </Fact>
      {startedAt !== undefined && (
        <Fact name="Started">
          <When at={startedAt} />
        </Fact>
      )}
      {completedAt === undefined ? (
        <Fact name="Age">{shortDuration(now.value - registeredAt)}</Fact>
      ) : (
        <>
          <Fact name="Ended">
            <When at={completedAt} />
          </Fact>
          <Fact name="Took">
            <Took ms={completedAt - registeredAt} />
          </Fact>
        </>
      )}
      {notBeforeAt !== undefined && (
        <Fact name="Not before">
          <When at={notBeforeAt} />
        </Fact>
      )}
      <Fact name="Attempt">{attempt}</Fact>
      {lease !== undefined && (
        <Fact name={lease.open ? 'Worker' : 'Last worker'}>
          <bdi>{lease.claimant === undefined ? 'not named' : workerOf(lease.claimant)}</bdi>{' '}
          <span class="muted">
            lease {lease.epoch}, {lease.open ? 'open' : 'closed'}
          </span>
        </Fact>
      )}
      {judgement.lastSignAt !== undefined && (
        <Fact name="Last sign of life">
          <When at={judgement.lastSignAt} />
        </Fact>
      )}
      {progress.count > 0 && (
        <Fact name="Progress">
          {progress.percent !== undefined && <ProgressBar percent={progress.percent} label="Progress" />}
          {progress.processed !== undefined && (
            <span>
              {progress.processed.toLocaleString('en')}
              {progress.total !== undefined && ` of ${progress.total.toLocaleString('en')}`}{' '}
            </span>
          )}
          {progress.message !== undefined && <bdi>“{progress.message}” </bdi>}
          <span class="muted">{progress.count === 1 ? '1 report' : `${progress.count} reports`}</span>
        </Fact>
      )}
      {phases.length > 0 && (
        <Fact name={phasesTotal === undefined ? 'Phases' : `Phases ${phasesCompleted}/${phasesTotal}`}>
          {phases.map(({ name, status }) => `${name}: ${status}`).join(', ')}
        </Fact>
      )}
      {cancel !== undefined && (
        <Fact name="Cancel">
          asked for <Ago at={cancel.requestedAt} />
          {outcome === undefined && (
            <>
              , forced <Ago at={cancel.deadlineAt} />
            </>
          )}
          {cancel.reason !== undefined && <bdi>: “{cancel.reason}”</bdi>}
        </Fact>
      )}
      {outcome !== undefined && 'result' in outcome && (
        <Fact name="Result">
          <JsonText value={outcome.result} label="Result" />
        </Fact>
      )}
      {outcome !== undefined && 'reason' in outcome && outcome.reason !== undefined && (
        <Fact name="Reason">
          <bdi>{outcome.reason}</bdi>
        </Fact>
      )}
      {diagnostics?.error !== undefined && (
        <Fact name="Error">
          <JsonText value={diagnostics.error} label="Error" />
        </Fact>
      )}
      {diagnostics?.lastError !== undefined && (
        <Fact name="Error before">
          <JsonText value={diagnostics.lastError} label="Error of the attempt before" />
        </Fact>
      )}
      {retryOf !== undefined && (
        <Fact name="Retries">
          <a href={operationHref({ ...operation, ...retryOf })}>
            <bdi>{retryOf.id}</bdi> (#{retryOf.number})
          </a>
        </Fact>
      )}
      {names.length > 0 && (
        <Fact name="Labels">
          {names.map(([label, value]) => (
            <a key={label} class="label" href={`/?${new URLSearchParams({ label: `${label}=${value}` })}`}>
              <bdi>
                {label}={value}
              </bdi>
            </a>
          ))}
        </Fact>
      )}
      {key !== undefined && (
        <Fact name="Key">
          <bdi>{key}</bdi>
        </Fact>
      )}
      {source !== undefined && (
        <Fact name="Source">
          <bdi>{source}</bdi>
        </Fact>
      )}
      {input !== undefined && (
        <Fact name="Input">
          <JsonText value={input} label="Input" />
        </Fact>
      )}
      {peer !== undefined && (
        <Fact name="Peer">
          <JsonText value={peer} label="Peer" />
        </Fact>
      )}
      <Fact name="Number">#{operation.number}</Fact>
      {'watchers' in operation && <Fact name="Watchers here">{operation.watchers}</Fact>}
    </dl>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function When({ at }: { readonly at: number }) {
  return (
    <>
      <Ago at={at} /> <span class="muted">{absoluteTime(at)}</span>
    </>
  )
}
