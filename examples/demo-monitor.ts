/**
 * The monitor over a living load: `npm run demo:monitor`. Services start, progress, fail, retry and are cancelled; workers hang,
 * die and come back; within a minute or two the reconciler speaks for those who do not speak for themselves.
 *
 *     npm run demo:monitor -- --port 8080 --minutes 5 --seed 7 --no-open
 */
import { parseArgs } from 'node:util'
import { type DemoServer, startDemo } from './monitor/demo-server.ts'
import { openBrowser } from './monitor/open-browser.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    /** Without it, until Ctrl-C. */
    minutes: { type: 'string' },
    'no-open': { type: 'boolean', default: false },
  },
})
const [port, seed] = [Number(values.port), Number(values.seed)]
const minutes = values.minutes === undefined ? undefined : Number(values.minutes)
for (const [name, value] of Object.entries({ port, seed, minutes: minutes ?? 0 })) {
  if (!(value >= 0))
    throw new Error(`--${name}: expected a number from 0, got ${JSON.stringify(values[name as 'port'])}`)
}

let starting: Promise<DemoServer> | undefined
let isEnding = false
const end = () => {
  // Whoever asks twice does not want to wait.
  if (isEnding) process.exit(1)
  isEnding = true
  void Promise.resolve(starting)
    .then((demo) => demo?.close())
    .then(() => process.exit(0))
}
process.on('SIGINT', end).on('SIGTERM', end)

starting = startDemo({ port, seed })
const { url } = await starting
console.log(`The monitor: ${url}
  ${url}/overview    a breaker holds soon: look, and release it
Ctrl-C ends it; nothing is kept.`)
if (!values['no-open'] && !isEnding) openBrowser(url)
if (minutes !== undefined) setTimeout(end, minutes * 60_000)
