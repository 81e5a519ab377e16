/**
 * A chart over time: lines or bars on a canvas, told apart by colour and dash, named with their values below, and the same numbers
 * as a table for whoever can't see or doesn't want the drawing. Drawn by uPlot.
 */
import { type Signal, useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { Tone } from './badges.tsx'
import './chart.css'
import { ScrollRegion } from './scroll-region.tsx'
import { theme } from './theme.ts'
import { utcSecond } from './times.ts'

export interface ChartSeries {
  readonly name: string
  readonly tone: Tone
  /** One for each moment; null where there is nothing to tell. */
  readonly values: readonly (number | null)[]
}

interface Props {
  readonly title: string
  /** One sentence in place of the drawing. */
  readonly summary: string
  readonly as: 'lines' | 'bars'
  /** Epoch ms, ascending, evenly apart. */
  readonly moments: readonly number[]
  readonly series: readonly ChartSeries[]
  readonly toText: (value: number) => string
}

const HEIGHT_PX = 150
const WIDTH_MIN_PX = 120
/** By its place, so that those who see no colours can tell the lines apart as well. */
const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 2]]

export function Chart(props: Props) {
  const { title, summary, series, moments, toText } = props
  const place = useRef<HTMLDivElement>(null)
  const at = useSignal<number | undefined>(undefined)
  useDrawing(place, props, at)
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={place} class="chart-place" role="img" aria-label={`${title}: ${summary}`} />
      <ul class="chart-legend" aria-hidden="true">
        {series.map(({ name, tone, values }, i) => (
          <li key={name} class={`tone-${tone}`}>
            <svg class="chart-marker" viewBox="0 0 22 8" aria-hidden="true">
              <path d="M1 4h20" stroke-dasharray={dashOf(i).join(' ')} />
            </svg>
            {name} <b>{textAt(values, at.value, toText)}</b>
          </li>
        ))}
        <li class="muted chart-moment">{at.value === undefined ? '' : `${utcSecond(moments[at.value] ?? 0)} UTC`}</li>
      </ul>
      <ChartTable {...props} />
    </figure>
  )
}

/** Rows with something in them, the newest first. */
function ChartTable({ title, moments, series, toText }: Props) {
  const isOpen = useSignal(false)
  const told = moments.map((_, i) => i).filter((i) => series.some(({ values }) => (values[i] ?? 0) !== 0))
  return (
    <details
      class="chart-table"
      onToggle={({ currentTarget }) => {
        isOpen.value = currentTarget.open
      }}
    >
      <summary>As a table</summary>
      {isOpen.value && (
        <ScrollRegion class="chart-scroll" label={`${title}, as a table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">From (UTC)</th>
                {series.map(({ name }) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {told.toReversed().map((i) => (
                <tr key={i}>
                  <th scope="row">{utcSecond(moments[i] ?? 0)}</th>
                  {series.map(({ name, values }) => (
                    <td key={name}>{textAt(values, i, toText)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
          {told.length === 0 && <p>Nothing to tell.</p>}
        </ScrollRegion>
      )}
    </details>
  )
}

function textAt(values: ChartSeries['values'], at: number | undefined, toText: Props['toText']): string {
  const value = at === undefined ? undefined : values[at]
  return value === undefined ? '' : value === null ? '–' : toText(value)
}

/** One drawing for as long as its lines and colours are the same; new numbers are given to it. */
function useDrawing(place: { readonly current: HTMLDivElement | null }, props: Props, at: Signal<number | undefined>) {
  const drawing = useRef<UPlot | undefined>(undefined)
  const { as, series, moments } = props
  const shape = JSON.stringify([as, theme.value, series.map(({ name, tone }) => [name, tone])])
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const draw = () => {
      drawing.current?.destroy()
      drawing.current = new UPlot(optionsOf(props, element, at), dataOf(props), element)
    }
    draw()
    const resized = new ResizeObserver(() => drawing.current?.setSize(sizeOf(element)))
    resized.observe(element)
    const dark = window.matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', draw)
    return () => {
      resized.disconnect()
      dark.removeEventListener('change', draw)
      drawing.current?.destroy()
      drawing.current = undefined
    }
  }, [shape])
  useEffect(() => drawing.current?.setData(dataOf(props)), [series, moments])
}

function dataOf({ moments, series }: Props): UPlot.AlignedData {
  return [moments.map((at) => at / 1_000), ...series.map(({ values }) => [...values])] as UPlot.AlignedData // as uPlot has it
}

function sizeOf(element: HTMLElement): { readonly width: number; readonly height: number } {
  return { width: Math.max(WIDTH_MIN_PX, element.clientWidth), height: HEIGHT_PX }
}

function optionsOf({ as, series, toText }: Props, element: HTMLElement, at: Signal<number | undefined>): UPlot.Options {
  const ink = colourOf(element, '--muted')
  const line = colourOf(element, '--line')
  const font = `11px ${getComputedStyle(element).fontFamily}`
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } }
  const bars = UPlot.paths.bars?.({ size: [0.7, 24] })
  return {
    ...sizeOf(element),
    tzDate: (seconds) => UPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    // Half a bar has to have its place before the first and behind the last moment.
    ...(as === 'bars' ? { padding: [null, 24, null, 24] } : {}),
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, (most ?? 0) * 1.1)] } },
    axes: [
      { ...axis, space: 60, values: TIMES },
      { ...axis, size: 56, space: 28, values: (_plot, ticks) => ticks.map((value) => textOfTick(value, toText)) },
    ],
    series: [
      {},
      ...series.map(({ name, tone, values }, i): UPlot.Series => {
        const stroke = colourOf(element, `--${tone}`)
        const isBars = as === 'bars'
        return {
          label: name,
          stroke,
          width: 1.5,
          dash: [...dashOf(i)],
          // A value between two that are unknown is no line.
          points: { size: 4, fill: stroke, ...(values.includes(null) ? { show: true } : {}) },
          ...(isBars ? { fill: stroke, points: { show: false }, ...(bars === undefined ? {} : { paths: bars }) } : {}),
        }
      }),
    ],
    hooks: {
      setCursor: [
        ({ cursor }) => {
          at.value = cursor.idx ?? undefined
        },
      ],
    },
  }
}

/** Of uPlot: how a tick is written, by the distance between two of them. */
const TIMES: UPlot.Axis.Values = [
  [86_400, '{YYYY}-{MM}-{DD}', null, null, null, null, null, null, 1],
  [60, '{HH}:{mm}', '\n{YYYY}-{MM}-{DD}', null, '\n{YYYY}-{MM}-{DD}', null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', null, null, null, null, null, null, 1],
]

/** Between whole numbers of things there is nothing. */
function textOfTick(value: number, toText: Props['toText']): string {
  return Number.isInteger(value) ? toText(value) : ''
}

function dashOf(i: number): readonly number[] {
  return DASHES[i % DASHES.length] ?? []
}

/** As the canvas wants it: the colour that a custom property comes to where the chart stands. */
function colourOf(element: HTMLElement, property: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${property})`
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
