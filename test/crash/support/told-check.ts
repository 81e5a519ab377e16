/** Whether everything that clients were told is what the log says. */
import type { LeftLog } from './copied-log.ts'
import type { Told } from './told.ts'

/** What is wrong; empty where every word was true. */
export function toldFaults(told: Told, { stories, places, types }: LeftLog): readonly string[] {
  const faults = [...told.faults]
  for (const [commandId, { owner, text, revision, position, changed }] of told.answers) {
    const stored = stories.get(owner)?.commands.get(commandId)
    if (changed && stored?.last !== revision) {
      faults.push(`${commandId} was answered ${text}; the log of ${owner} has it at ${stored?.last ?? 'no place'}`)
    }
    const place = places.get(owner)?.[revision]
    if (place === undefined || position < place) {
      faults.push(
        `${commandId} was answered at position ${position}, revision ${revision} of ${owner} stands at ${place}`,
      )
    }
  }
  for (const [commandId, code] of told.refusals) {
    for (const [owner, { commands }] of stories) {
      const stored = commands.get(commandId)
      if (stored !== undefined)
        faults.push(`${commandId} was refused (${code}), and ${owner} has it at ${stored.first}`)
    }
  }
  const endings = new Map<string, string>()
  for (const [owner, { lives }] of stories) {
    for (const { id, ended } of lives.values()) if (ended !== undefined) endings.set(`${owner} ${id}`, ended.ending)
  }
  for (const { owner, id, ending, by } of told.ends) {
    const stored = endings.get(`${owner} ${id}`)
    if (stored !== ending) faults.push(`a ${by} was told that ${id} ended as ${ending}; the log says ${stored}`)
  }
  for (const { position, type } of told.events) {
    if (!types.has(position)) faults.push(`${type} was told of at ${position}, where the log has nothing`)
  }
  const through = told.events.at(-1)?.position ?? 0n
  const heard = new Set(told.events.map(({ position }) => position))
  for (const [position, type] of types) {
    if (position <= through && !heard.has(position)) faults.push(`nobody was told of ${type} at ${position}`)
  }
  return faults
}
