import { mkdirSync } from 'node:fs'
import { openVerdict } from '../src/index.ts' // where the package is installed: 'verdict'

mkdirSync('.verdict', { recursive: true })
await using verdict = await openVerdict('.verdict/verdict.db')

// Registered, claimed and on disk when this returns; heartbeats, progress and the outcome are kept for the function.
const greeting = await verdict.start('greeting', { name: 'Greet three people' }, async ({ progress, phase }) => {
  const people = await phase('invite', () => ['Ada', 'Grace', 'Edsger'])
  for (const [i, name] of people.entries()) progress({ processed: i + 1, total: people.length, message: name })
  return { greeted: people.length }
})
console.log(await greeting.result()) // throws OperationFailed, OperationCancelled

// A failure is data for those who ask for the outcome.
const broken = await verdict.start('greeting', { name: 'Greet nobody' }, async () => {
  throw new Error('nobody came')
})
console.log(await broken.outcome())

// What happened stands in the log, event by event.
for (const { revision, event } of await greeting.history()) console.log(revision, event.type)

// Of all operations of all owners: who should be looked at now, each with a sentence on what is known and what happens next.
for (const { name, explanation } of await verdict.operations.list({ attention: true })) console.log(name, explanation)

// Everything else by filter: listed, counted, told event by event.
for (const { name, status } of await verdict.operations.list({ kinds: ['greeting'] })) console.log(name, status)
console.log(await verdict.operations.count({ resultClasses: ['failed'] }))

// The same of everybody, and live where `follow` is not false; `event.cursor` is what to go on behind, in any process.
for await (const event of verdict.events({ follow: false })) console.log(event.type, event.subject)
