/** Small drawings, 16 by 16, in the colour of the text. They stand beside a word, never for one, and say nothing to screen readers. */
const PATHS = {
  fresh: 'M1.5 8h3l2-4.5 3 9 2-4.5h3',
  late: 'M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 1 1 0-12.5M8 4.5V8l2.5 1.75',
  likely_stale: 'M8 2L14.75 13.75H1.25L8 2M8 6.5v3.25M8 11.75v.1',
  reconciled: 'M8 2v11.5M4.5 13.75h7M2.5 4.5h11M2.5 4.5L.9 9h3.2L2.5 4.5M13.5 4.5L11.9 9h3.2L13.5 4.5',
  no_policy: 'M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 1 1 0-12.5M3.7 12.3l8.6-8.6',
  terminal: 'M3 8.5l3.25 3.25L13 4.75',
  waiting: 'M4 2h8M4 14h8M4.75 2c0 3.5 6.5 8.5 6.5 12M11.25 2c0 3.5-6.5 8.5-6.5 12',
  running: 'M5 3.25v9.5L12.75 8 5 3.25',
  retiring: 'M8 2v8M4.5 6.5L8 10l3.5-3.5M3 13.5h10',
  completed: 'M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 1 1 0-12.5M5 8.25l2.1 2.1L11 6',
  failed: 'M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 1 1 0-12.5M5.75 5.75l4.5 4.5M10.25 5.75l-4.5 4.5',
  cancelled: 'M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 1 1 0-12.5M5 8h6',
  contradicted: 'M2 5h9.5M8.75 2.25L11.5 5 8.75 7.75M14 11H4.5M7.25 8.25L4.5 11l2.75 2.75',
  search: 'M7 2a5 5 0 1 1 0 10A5 5 0 1 1 7 2M10.75 10.75L14.25 14.25',
  filter: 'M2 3.5h12M4.5 8h7M6.75 12.5h2.5',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  pause: 'M5.25 3v10M10.75 3v10',
  play: 'M5 3.25v9.5L12.75 8 5 3.25',
  offline: 'M2 2l12 12M4.2 7.2a6 6 0 0 1 2-1.2M9.7 6a6 6 0 0 1 2.1 1.2M6.4 9.7a2.6 2.6 0 0 1 2.4-.4M8 12.5v.1',
  left: 'M10 3L5 8l5 5',
  right: 'M6 3l5 5-5 5',
  up: 'M8 13V3M3.75 7.25L8 3l4.25 4.25',
  sun: 'M8 5a3 3 0 1 1 0 6a3 3 0 1 1 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9L13 13M13 3l-1.1 1.1M4.1 11.9L3 13',
  moon: 'M13.5 9.75A6 6 0 1 1 6.25 2.5a4.75 4.75 0 0 0 7.25 7.25',
  system: 'M1.75 3h12.5v8.5H1.75V3M5.5 14h5M8 11.5V14',
  keyboard: 'M1.5 4h13v8.5h-13V4M4 6.75h.1M6.6 6.75h.1M9.3 6.75h.1M11.9 6.75h.1M5 9.9h6',
  copy: 'M5.5 5.5h8v8h-8v-8M3.5 10.5h-1v-8h8v1',
  link: 'M6.5 9.5l3-3M7.25 4.5l1.5-1.5a2.8 2.8 0 0 1 4.25 4l-1.75 1.75M8.75 11.5L7.25 13A2.8 2.8 0 0 1 3 9l1.75-1.75',
  user: 'M8 2.25a2.75 2.75 0 1 1 0 5.5a2.75 2.75 0 1 1 0-5.5M2.75 14c.6-3 2.6-4.5 5.25-4.5s4.65 1.5 5.25 4.5',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, class: extra }: { readonly name: IconName; readonly class?: string }) {
  return (
    <svg class={extra === undefined ? 'icon' : `icon ${extra}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}
