/** The first answer of a command that was accepted before: made again from its stored events. */
import { answerFromEvents, type CommandAnswer } from '../authority/command-answer.ts'
import type { Command } from '../authority/commands.ts'
import type { RecordedEvent } from '../authority/events.ts'
import type { RegistryState, RememberedCommand } from '../authority/registry.ts'
import { decodeEvent } from '../event-store/event-codec.ts'
import type { EventReader } from '../event-store/event-store.ts'
import { RegistryStopped, stoppedBy } from './registry-loader.ts'

/** Throws RegistryStopped when the log no longer has what was remembered of it, and LogError. */
export async function rememberedAnswer(
  reader: EventReader,
  stream: string,
  command: Command,
  { revision, count, commandId }: RememberedCommand,
  /** That it was remembered in. */
  state: RegistryState,
): Promise<CommandAnswer> {
  const recorded: RecordedEvent[] = []
  let position = 0n
  for await (const stored of reader.readStream(stream, { from: revision, limit: count })) {
    try {
      recorded.push(decodeEvent(stored))
    } catch (error) {
      throw stoppedBy(stream, error)
    }
    position = stored.position
  }
  const isWhole = recorded.length === count && recorded.every(({ metadata }) => metadata.commandId === commandId)
  if (!isWhole) throw new RegistryStopped(stream, `revision ${revision} does not have the events of ${commandId}`)
  return answerFromEvents(command, recorded, state, { revision: revision + count - 1, position })
}
