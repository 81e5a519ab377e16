/** Its life on a line of time: queue, attempts with their phases, silences hatched; the same as a table for whoever can't see it. */
import type { OperationTimeline, Stretch } from '../../authority/timeline.ts'
import { now } from '../clock.ts'
import { absoluteTime, shortDuration, utcSecond } from '../times.ts'
import { type TimeScale, timeScale } from './time-scale.ts'
import { TimelineTable } from './timeline-table.tsx'

/** The newest attempts have lanes of their own; the table has all of them. */
const LANES_MAX = 12

export function Timeline({ timeline }: { readonly timeline: OperationTimeline }) {
  const { fromAt, isOver, isWhole, queued, attempts, phases, silences, signs, signsHeard, marks } = timeline
  const untilAt = isOver || !isWhole ? timeline.untilAt : Math.max(timeline.untilAt, now.value)
  const scale = timeScale(fromAt, untilAt)
  const shown = attempts.slice(-LANES_MAX)
  return (
    <>
      <div class="timeline" aria-hidden="true">
        <div class="lane lane-scale">
          <span class="lane-name">UTC</span>
          <span class="track">
            {scale.marks.map(({ at, label }) => (
              <span key={at} class="tick" style={{ left: `${scale.share(at)}%` }}>
                {label}
              </span>
            ))}
          </span>
        </div>
        <Lane name="Queue">
          {queued.map((stretch) => (
            <Bar key={stretch.fromAt} scale={scale} stretch={stretch} look="queue" word="queued" />
          ))}
        </Lane>
        {shown.map((one) => (
          <div key={one.attempt} class="attempt">
            <Lane name={`Attempt ${one.attempt}`}>
              <Bar
                scale={scale}
                stretch={one}
                look={`attempt-${one.ending ?? 'open'}`}
                word={one.ending ?? 'at work'}
              />
              {signs
                .filter((at) => at >= one.fromAt && at <= (one.untilAt ?? untilAt))
                .map((at) => (
                  <span key={at} class="sign" style={{ left: `${scale.share(at)}%` }} />
                ))}
              {silences
                .filter(({ attempt }) => attempt === one.attempt)
                .map((silence) => (
                  <Bar
                    key={silence.fromAt}
                    scale={scale}
                    stretch={silence}
                    look={`silence silence-${silence.freshness}`}
                    word={`${shortDuration((silence.untilAt ?? untilAt) - silence.fromAt)} silent`}
                  />
                ))}
            </Lane>
            {phases
              .filter(({ attempt }) => attempt === one.attempt)
              .map((phase) => (
                <Lane key={`${phase.phase} ${phase.fromAt}`} name={phase.phase} isInner>
                  <Bar
                    scale={scale}
                    stretch={phase}
                    look={`phase phase-${phase.ending ?? 'open'}`}
                    word={phase.ending ?? 'under way'}
                  />
                </Lane>
              ))}
          </div>
        ))}
        {marks.length > 0 && (
          <Lane name="Happened">
            {marks.map(({ at, type, revision }) => (
              <span
                key={revision}
                class="mark"
                style={{ left: `${scale.share(at)}%` }}
                title={`${type}, ${absoluteTime(at)}`}
              />
            ))}
          </Lane>
        )}
      </div>
      <p class="muted">
        {utcSecond(fromAt)} to {isOver ? utcSecond(untilAt) : 'now'} (UTC), {shortDuration(untilAt - fromAt)}. Heard of{' '}
        {signsHeard === 1 ? 'once' : `${signsHeard.toLocaleString('en')} times`}
        {attempts.length > LANES_MAX && `; the ${LANES_MAX} newest of ${attempts.length} attempts are drawn`}
        {!isWhole && '; the stream is so long that it was not read to its end'}.
      </p>
      <TimelineTable timeline={timeline} untilAt={untilAt} />
    </>
  )
}

function Lane({
  name,
  isInner = false,
  children,
}: {
  readonly name: string
  readonly isInner?: boolean
  readonly children: preact.ComponentChildren
}) {
  return (
    <div class={isInner ? 'lane lane-inner' : 'lane'}>
      <span class="lane-name" title={name}>
        <bdi>{name}</bdi>
      </span>
      <span class="track">{children}</span>
    </div>
  )
}

interface BarProps {
  readonly scale: TimeScale
  readonly stretch: Stretch
  readonly look: string
  readonly word: string
}

function Bar({ scale, stretch: { fromAt, untilAt = scale.untilAt }, look, word }: BarProps) {
  const left = scale.share(fromAt)
  const title = `${word}: ${absoluteTime(fromAt)}, ${shortDuration(untilAt - fromAt)}`
  return (
    <span
      class={`stretch ${look}`}
      style={{ left: `${left}%`, width: `${scale.share(untilAt) - left}%` }}
      title={title}
    >
      <span class="stretch-word">{word}</span>
    </span>
  )
}
