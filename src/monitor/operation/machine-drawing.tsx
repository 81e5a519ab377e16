/** The machine that all operations live by, with the way that this one took: numbered, and told as a list as well. */
import { useId } from 'preact/hooks'
import type { MachineDescription } from '../../authority/machine-description.ts'
import type { TimelineStep } from '../../authority/timeline.ts'
import { Ago } from '../time-text.tsx'
import { machineLayout, NODE_HEIGHT, NODE_WIDTH, numbersShown } from './machine-layout.ts'
import { Scroller } from './scroller.tsx'

interface Props {
  readonly machine: MachineDescription
  readonly steps: readonly TimelineStep[]
}

/** Steps of the list at each end of a long way. */
const LISTED_MAX = 12

export function MachineDrawing({ machine, steps }: Props) {
  const current = steps.at(-1)?.to ?? 'absent'
  const visited = new Set<string>(steps.flatMap(({ from, to }) => [from, to]))
  const { width, height, states, moves } = machineLayout(machine, steps)
  const [plain, strong, title] = [useId(), useId(), useId()]
  return (
    <>
      <Scroller class="machine-scroll" label="Drawing of the machine">
        <svg class="machine" viewBox={`0 0 ${width} ${height}`} role="img" aria-labelledby={title}>
          <title id={title}>{`The states of an operation. ${wayTold(steps)}`}</title>
          <defs>
            <Arrow id={plain} class="machine-arrow" />
            <Arrow id={strong} class="machine-arrow-taken" />
          </defs>
          {moves.map(({ from, to, path, taken }) => (
            <path
              key={`${from} ${to}`}
              class={taken.length > 0 ? 'machine-move machine-move-taken' : 'machine-move'}
              data-move={`${from} ${to}`}
              d={path}
              marker-end={`url(#${taken.length > 0 ? strong : plain})`}
            />
          ))}
          {states.map(({ status, x, y, isTerminal }) => (
            <g
              key={status}
              class={`machine-state${visited.has(status) ? ' machine-state-visited' : ''}${status === current ? ' machine-state-current' : ''}`}
              data-state={status}
              transform={`translate(${x} ${y})`}
            >
              {status === current && (
                <rect
                  class="machine-ring"
                  x={-NODE_WIDTH / 2 - 4}
                  y={-NODE_HEIGHT / 2 - 4}
                  width={NODE_WIDTH + 8}
                  height={NODE_HEIGHT + 8}
                  rx={12}
                />
              )}
              <rect x={-NODE_WIDTH / 2} y={-NODE_HEIGHT / 2} width={NODE_WIDTH} height={NODE_HEIGHT} rx={8} />
              <text dy="0.35em">{status}</text>
              {status === current && (
                <text class="machine-here" y={NODE_HEIGHT / 2 + 18}>
                  {isTerminal ? '▲ ended here' : '▲ it is here'}
                </text>
              )}
            </g>
          ))}
          {moves.map(
            ({ from, to, middle, taken }) =>
              taken.length > 0 && (
                <g key={`${from} ${to}`} class="machine-number" transform={`translate(${middle.x} ${middle.y})`}>
                  <rect
                    x={-6 - numbersShown(taken).length * 4}
                    y={-10}
                    width={12 + numbersShown(taken).length * 8}
                    height={20}
                    rx={10}
                  />
                  <text dy="0.35em">{numbersShown(taken)}</text>
                </g>
              ),
          )}
        </svg>
      </Scroller>
      <Way steps={steps} />
    </>
  )
}

function Arrow({ id, class: look }: { readonly id: string; readonly class: string }) {
  return (
    <marker id={id} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
      <path class={look} d="M0 0L8 4L0 8Z" />
    </marker>
  )
}

function Way({ steps }: { readonly steps: readonly TimelineStep[] }) {
  const last = Math.max(LISTED_MAX, steps.length - LISTED_MAX)
  const numbered = steps.map((step, place) => ({ ...step, number: place + 1 }))
  const shown = numbered.filter(({ number }) => number <= LISTED_MAX || number > last)
  return (
    <ol class="way" aria-label="The way that it took">
      {shown.map(({ number, from, to, event, at }) => (
        <li key={number} value={number}>
          {from} → <strong>{to}</strong> <span class="muted">by {event}, </span>
          <Ago at={at} />
          {number === LISTED_MAX && steps.length > 2 * LISTED_MAX && (
            <span class="muted"> … {steps.length - 2 * LISTED_MAX} more</span>
          )}
        </li>
      ))}
    </ol>
  )
}

function wayTold(steps: readonly TimelineStep[]): string {
  const last = steps.at(-1)
  if (last === undefined) return 'This one took no way yet.'
  const shown = steps.slice(-LISTED_MAX).map(({ to }) => to)
  return `This one went ${steps.length > LISTED_MAX ? '… ' : ''}${shown.join(', then ')}.`
}
