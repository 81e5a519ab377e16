/** What a command's output says of its progress: its last line, and the percentage or the count that it printed. */
import { StringDecoder } from 'node:string_decoder'
import type { ProgressReport } from '../client/lease.ts'

/** A line longer than this is cut: it is told, not kept. */
const LINE_CHARACTERS_MAX = 4_096
const MESSAGE_CHARACTERS_MAX = 200

/** Escape sequences (CSI, OSC, single characters), then whatever else can't be printed. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029]/gu

/** Takes the bytes of one stream as they come; calls back for each line that says something. */
export class OutputProgress {
  readonly #decoder = new StringDecoder('utf8')
  readonly #report: (progress: ProgressReport) => void
  #line = ''

  constructor(report: (progress: ProgressReport) => void) {
    this.#report = report
  }

  /** A carriage return ends a line too: that is how progress is drawn over itself. */
  take(bytes: Buffer): void {
    const lines = (this.#line + this.#decoder.write(bytes)).split(/\r\n|\r|\n/)
    this.#line = (lines.pop() ?? '').slice(0, LINE_CHARACTERS_MAX)
    // Of many lines that came at once the last one is what a person would see.
    const last = lines.findLast((line) => messageOf(line) !== '')
    if (last !== undefined) this.#report(progressOf(last))
  }

  /** What was printed without an end of line. */
  end(): void {
    const rest = this.#line + this.#decoder.end()
    this.#line = ''
    if (messageOf(rest) !== '') this.#report(progressOf(rest))
  }
}

/** `42%` is 42 of 100; `3/10` and `3 of 10` are themselves; the last one in the line counts. */
export function progressOf(line: string): ProgressReport {
  const message = messageOf(line)
  const percent = lastMatch(message, /(?<![\w.,])(\d{1,3}(?:\.\d+)?)\s?%/g)
  if (percent !== undefined) {
    const value = Number(percent[1])
    if (value <= 100) return { message, percent: value, processed: value, total: 100 }
  }
  const count = lastMatch(message, /(?<![\w./,-])(\d{1,12})\s?(?:\/|of)\s?(\d{1,12})(?![\w/,-]|\.\d)/g)
  if (count === undefined) return { message }
  const processed = Number(count[1])
  const total = Number(count[2])
  if (total === 0 || processed > total) return { message }
  return { message, percent: Math.round((1_000 * processed) / total) / 10, processed, total }
}

function messageOf(line: string): string {
  return line
    .slice(-LINE_CHARACTERS_MAX)
    .replace(ESCAPES, '')
    .replace(UNPRINTABLE, ' ')
    .trim()
    .slice(0, MESSAGE_CHARACTERS_MAX)
}

function lastMatch(text: string, pattern: RegExp): RegExpMatchArray | undefined {
  return [...text.matchAll(pattern)].at(-1)
}
