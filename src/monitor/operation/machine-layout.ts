/** Where states and moves of the machine are drawn: active ones in a row, the ends below. All of it follows from the machine. Pure. */
import type { MachineDescription, MachineState } from '../../authority/machine-description.ts'
import type { TimelineStep } from '../../authority/timeline.ts'

export const NODE_WIDTH = 112
export const NODE_HEIGHT = 38
const GAP = 14
const ROW_TOP = 92
const ROW_BOTTOM = 252
const MARGIN = 10
const STATES_SHOWN_MAX = 4

export interface DrawnState extends MachineState {
  /** Of its middle. */
  readonly x: number
  readonly y: number
}

export interface DrawnMove {
  readonly from: string
  readonly to: string
  readonly path: string
  /** Where its number stands. */
  readonly middle: { readonly x: number; readonly y: number }
  /** Places in the way that was taken, from 1. */
  readonly taken: readonly number[]
}

export interface MachineLayout {
  readonly width: number
  readonly height: number
  readonly states: readonly DrawnState[]
  /** Those that lead elsewhere, each pair once; those that were taken last. */
  readonly moves: readonly DrawnMove[]
}

export function machineLayout({ states, moves }: MachineDescription, steps: readonly TimelineStep[]): MachineLayout {
  const goingOn = states.filter(({ isTerminal }) => !isTerminal)
  const ends = states.filter(({ isTerminal }) => isTerminal)
  const columns = Math.max(goingOn.length, ends.length)
  const width = columns * (NODE_WIDTH + GAP) - GAP + 2 * MARGIN
  const placed = new Map<string, DrawnState>()
  for (const [row, y] of [
    [goingOn, ROW_TOP],
    [ends, ROW_BOTTOM],
  ] as const) {
    const step = row.length > 1 ? (width - 2 * MARGIN - NODE_WIDTH) / (row.length - 1) : 0
    for (const [place, state] of row.entries()) {
      placed.set(state.status, { ...state, x: MARGIN + NODE_WIDTH / 2 + place * step, y })
    }
  }
  const pairs = new Map<string, readonly [from: string, to: string]>()
  for (const { from, to } of [...moves.filter((move) => move.from !== move.to), ...steps])
    pairs.set(`${from} ${to}`, [from, to])
  const drawn = [...pairs.values()].flatMap(([from, to]) => {
    const [start, end] = [placed.get(from), placed.get(to)]
    const taken = steps.flatMap((step, place) => (step.from === from && step.to === to ? [place + 1] : []))
    return start === undefined || end === undefined ? [] : [{ from, to, ...curve(start, end), taken }]
  })
  return {
    width,
    height: ROW_BOTTOM + NODE_HEIGHT / 2 + MARGIN + 18,
    states: [...placed.values()],
    moves: drawn.sort((a, b) => Math.min(1, a.taken.length) - Math.min(1, b.taken.length)),
  }
}

/** '1, 3', and where there are many: '1, 3, 5, 7 …'. */
export function numbersShown(taken: readonly number[]): string {
  const shown = taken.slice(0, STATES_SHOWN_MAX).join(', ')
  return taken.length > STATES_SHOWN_MAX ? `${shown} …` : shown
}

function curve(start: DrawnState, end: DrawnState): Pick<DrawnMove, 'path' | 'middle'> {
  const half = NODE_HEIGHT / 2
  if (start.status === end.status) {
    // A next attempt of what was not yet taken: round and back.
    const top = start.y - half
    return bezier([start.x - 22, top], [start.x - 34, top - 48], [start.x + 34, top - 48], [start.x + 22, top])
  }
  if (end.y > start.y) {
    const leanMax = NODE_WIDTH / 2 - 8
    const lean = Math.min(leanMax, Math.max(-leanMax, (end.x - start.x) / 8))
    const [from, to] = [start.y + half, end.y - half]
    const bend = (to - from) / 2
    return bezier([start.x + lean, from], [start.x + lean, from + bend], [end.x, to - bend], [end.x, to])
  }
  const isNext = end.x > start.x && end.x - start.x < 2.5 * (NODE_WIDTH + GAP)
  if (isNext && !isFar(start, end)) {
    const [from, to] = [start.x + NODE_WIDTH / 2, end.x - NODE_WIDTH / 2]
    return bezier([from, start.y], [from + (to - from) / 3, start.y], [to - (to - from) / 3, end.y], [to, end.y])
  }
  const top = start.y - half
  const rise = top - 26 - Math.abs(end.x - start.x) / 14
  return bezier([start.x - 12, top], [start.x - 12, rise], [end.x + 12, rise], [end.x + 12, top])
}

/** Further than to the next place of the row: the way is over the heads of those between. */
function isFar(start: DrawnState, end: DrawnState): boolean {
  return end.x - start.x > 2 * (NODE_WIDTH + GAP)
}

type Point = readonly [x: number, y: number]

function bezier(a: Point, b: Point, c: Point, d: Point): Pick<DrawnMove, 'path' | 'middle'> {
  const told = ([x, y]: Point) => `${Math.round(x)} ${Math.round(y)}`
  const at = (place: 0 | 1) => (a[place] + 3 * b[place] + 3 * c[place] + d[place]) / 8
  return { path: `M${told(a)} C${told(b)} ${told(c)} ${told(d)}`, middle: { x: at(0), y: at(1) } }
}
