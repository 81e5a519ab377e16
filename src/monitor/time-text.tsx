/** A time or a duration on the page; the other form is its title. */
import { now } from './clock.ts'
import { absoluteTime, machineTime, relativeTime, shortDuration } from './times.ts'

/** '4 min ago', growing; the title has the moment in UTC. */
export function Ago({ at }: { readonly at: number }) {
  return (
    <time class="time" dateTime={machineTime(at)} title={absoluteTime(at)}>
      {relativeTime(at, now.value)}
    </time>
  )
}

/** '4 min 10 s', growing, since a moment. */
export function Since({ at }: { readonly at: number }) {
  return (
    <time class="time" dateTime={machineTime(at)} title={`since ${absoluteTime(at)}`}>
      {shortDuration(now.value - at)}
    </time>
  )
}

/** How long something took; the title has its ends where they are given. */
export function Took({ ms, title }: { readonly ms: number; readonly title?: string }) {
  return (
    <span class="time" title={title}>
      {shortDuration(ms)}
    </span>
  )
}
