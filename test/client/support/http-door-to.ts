/** A door to a server of a test, patient and silent, closed when the test is over. */
import { onTestFinished } from 'vitest'
import { HttpDoor, type HttpDoorParts } from '../../../src/client/http-door.ts'
import { SYSTEM_CLOCK } from '../../../src/runtime/clock.ts'
import { RecordingLog } from '../../support/recording-log.ts'

export function httpDoorTo(url: string, parts: Partial<HttpDoorParts> = {}): HttpDoor {
  const door = new HttpDoor({
    url,
    clock: SYSTEM_CLOCK,
    log: new RecordingLog(),
    newId: () => crypto.randomUUID(),
    random: Math.random,
    silenceMsMax: 30_000,
    startWithinMs: 30_000,
    answerWithinMs: 30_000,
    ...parts,
  })
  onTestFinished(() => door.close())
  return door
}
