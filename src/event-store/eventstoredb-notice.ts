/**
 * What a subscription's message says, without unpacking the event in it: on a busy log the texts of every event come back
 * to the node that wrote them, and parsing them would cost as much as appending.
 *
 *     ReadResp { event = 1 | confirmation = 2 | checkpoint = 3 | ... }     ReadEvent { event = 1, ... }
 *     RecordedEvent { stream_identifier = 2, stream_revision = 3, commit_position = 5, ... }
 *     StreamIdentifier { stream_name = 3 }     Checkpoint { commit_position = 1, ... }
 */
import { WireReader } from './eventstoredb-wire.ts'

export type Notice =
  | { readonly type: 'confirmed' }
  | { readonly type: 'checkpoint'; readonly position: bigint }
  | { readonly type: 'appended'; readonly stream: string; readonly revision: number; readonly position: bigint }
  /** Nothing that a notice needs. */
  | { readonly type: 'other' }

const OTHER: Notice = { type: 'other' }

/** Throws RangeError for bytes that are no message. */
export function noticeOf(bytes: Uint8Array): Notice {
  const message = new WireReader(bytes)
  while (message.next()) {
    if (message.field === 1) return appended(message.inner())
    if (message.field === 2) return { type: 'confirmed' }
    if (message.field === 3) return checkpoint(message.inner())
  }
  return OTHER
}

function checkpoint(message: WireReader): Notice {
  while (message.next()) if (message.field === 1) return { type: 'checkpoint', position: message.number }
  return { type: 'checkpoint', position: 0n }
}

function appended(resolved: WireReader): Notice {
  while (resolved.next()) if (resolved.field === 1) return recorded(resolved.inner())
  return OTHER
}

function recorded(event: WireReader): Notice {
  let stream = ''
  // A field that is not there is zero.
  let revision = 0n
  let position = 0n
  while (event.next()) {
    if (event.field === 2) stream = nameIn(event.inner())
    else if (event.field === 3) revision = event.number
    else if (event.field === 5) position = event.number
  }
  return { type: 'appended', stream, revision: Number(revision), position }
}

function nameIn(identifier: WireReader): string {
  while (identifier.next()) if (identifier.field === 3) return identifier.text()
  return ''
}
