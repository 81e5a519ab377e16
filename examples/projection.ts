import { mkdirSync } from 'node:fs'
import { openVerdict } from '../src/index.ts' // where the package is installed: 'verdict'
import type { Question } from '../src/projections.ts' // 'verdict/projections'
import type { teamsAsked } from './team-tally.ts'

// Named by its module, because it runs on a thread of its own.
const module = new URL('./team-tally.ts', import.meta.url).href
const TEAMS: Question<typeof teamsAsked> = { module, name: 'teamsAsked', projection: 'team-tally' }

mkdirSync('.verdict', { recursive: true })
await using verdict = await openVerdict('.verdict/verdict.db', {
  readModels: { projections: [{ module, name: 'TEAM_TALLY' }] },
})

await verdict.execute('export', { labels: { team: 'billing' } }, () => 'done')
const failing = await verdict.start('export', { labels: { team: 'billing' } }, () => {
  throw new Error('no rows')
})
await failing.outcome()

// What this Verdict was answered is in the rows that it asks next.
const { answer, position } = await verdict.ask(TEAMS, [10])
console.log(answer, `as of position ${position}`)
