/**
 * Bounds of names and texts, and the two measures they are taken with (lifecycle.md, section 10).
 * The numbers are defaults: a door may be opened with others, within the hard ones.
 */

export interface Bounds {
  /** Bytes of an operation id, key, kind, command id, owner, claimant id. */
  readonly nameBytesMax: number
  /** Bytes of the content of one event, as JSON text. */
  readonly contentBytesMax: number
  readonly labelsMax: number
  readonly labelNameBytesMax: number
  readonly labelValueBytesMax: number
  readonly phasesMax: number
  readonly waitMembersMax: number
  readonly commandsQueuedMax: number
  /** Bytes of one append; a wider batch is cut into several appends. */
  readonly appendBytesMax: number
  /** Bytes of the one append that terminates an owner. */
  readonly terminationBytesMax: number
  /** Nesting of a JSON value that a caller hands in. */
  readonly jsonDepthMax: number
  /** Values in one command, however they nest. */
  readonly jsonValuesMax: number
}

export const DEFAULT_BOUNDS: Bounds = {
  nameBytesMax: 128,
  contentBytesMax: 64 * 1024,
  labelsMax: 16,
  labelNameBytesMax: 64,
  labelValueBytesMax: 256,
  phasesMax: 64,
  waitMembersMax: 10_000,
  commandsQueuedMax: 4_096,
  appendBytesMax: 512 * 1024,
  terminationBytesMax: 960 * 1024,
  jsonDepthMax: 64,
  jsonValuesMax: 1_000_000,
}

/** No setting raises the content of one event above this: it must fit an append beside its facts. */
export const CONTENT_BYTES_HARD_MAX = 448 * 1024

/** Length of a text in UTF-8; a lone surrogate counts as the three bytes of its replacement. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes += 1
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      bytes += 2
      i++
    } else bytes += 2
  }
  return bytes
}

/** 1 to so many bytes of printable text. */
export function isName(text: string, bytesMax: number): boolean {
  // Nearly all names are plain ASCII, a byte for each unit, and each command has several.
  if (isPlain(text)) return text !== '' && text.length <= bytesMax
  return utf8Length(text) <= bytesMax && isPrintable(text)
}

/** Printable: no control character, no line or paragraph separator, no lone surrogate. */
export function isPrintable(text: string): boolean {
  return isPlain(text) || !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text)
}

/** Nothing but the printable characters of ASCII. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x20 || unit > 0x7e) return false
  }
  return true
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000
}
