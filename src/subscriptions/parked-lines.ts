/** What the log says of parked streams: a line for each while they are few, one line for many. */
import type { ParkedChange, ParkedNews, ToldStream } from './parked-watch.ts'

export interface ParkedLine {
  readonly level: 'warn' | 'info'
  readonly facts: Readonly<Record<string, unknown>>
  readonly message: string
}

const WAY_OUT = '`verdict projections retry` tries it again, `verdict projections discard` leaves the event out'
const SENTENCES: Readonly<Record<ParkedChange['type'], string>> = {
  parked: `a projection can not go on with a stream at this event and parked it; ${WAY_OUT}`,
  followed: 'a parked stream is followed again',
  discarded: 'the event at which a stream was parked was left out, as an operator ordered',
}
const SENTENCES_OF_MANY: Readonly<Record<ParkedChange['type'], string>> = {
  parked: `a projection can not go on with many streams and parked them; \`verdict projections parked\` names all; for each, ${WAY_OUT}`,
  followed: 'many parked streams are followed again',
  discarded: 'the events at which many streams were parked were left out, as operators ordered',
}

export function parkedLines(news: ParkedNews): readonly ParkedLine[] {
  if (news.type === 'parked_before') {
    const message = `read models go on without streams that are parked; \`verdict projections parked\` names them; for each, ${WAY_OUT}`
    return [{ level: 'warn', facts: { parked: news.counts }, message }]
  }
  const { type, projection, count, streams } = news
  const level = type === 'parked' ? 'warn' : 'info'
  if (count > streams.length) {
    return [{ level, facts: { projection, count, first: streams.map(told) }, message: SENTENCES_OF_MANY[type] }]
  }
  return streams.map((one) => ({ level, facts: { projection, ...told(one) }, message: SENTENCES[type] }))
}

/** The position as text: lines of JSON know no integers as large. */
function told({ stream, revision, position, error }: ToldStream) {
  return { stream, revision, position: String(position), error }
}
