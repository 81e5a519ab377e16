/** Server-sent events, read from text as it arrives, cut anywhere (WHATWG HTML, section 9.2). */

export interface SentEvent {
  /** Empty for what has no name. */
  readonly name: string
  readonly data: string
}

export class SentEvents {
  #rest = ''

  /** Those that are whole by now; comments and events without data are none. */
  next(text: string): readonly SentEvent[] {
    // A line ends in CR LF, LF or CR; what was cut between the two is read with what follows.
    const all = this.#rest + text
    const isCut = all.endsWith('\r')
    const whole = isCut ? all.slice(0, -1) : all
    const blocks = (whole.includes('\r') ? whole.replace(/\r\n?/g, '\n') : whole).split('\n\n')
    this.#rest = (blocks.pop() ?? '') + (isCut ? '\r' : '')
    return blocks.flatMap((block) => eventIn(block) ?? [])
  }
}

function eventIn(block: string): SentEvent | undefined {
  let name = ''
  let data: string | undefined
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'event') name = value
    else if (field === 'data') data = data === undefined ? value : `${data}\n${value}`
  }
  return data === undefined ? undefined : { name, data }
}
