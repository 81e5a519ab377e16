/**
 * Notices which streams a projection parks and follows again, so that each is told once, however often it is tried at the same
 * event. It compares what is parked with what it told: nothing is lost where whoever follows begins anew.
 */
import type { Projector } from '../../projections/projector.ts'
import type { ParkedStream } from '../../projections/read-database.ts'

/** Of streams that are told of together, as many are named. */
export const PARKED_NAMED_MAX = 3

export type ToldStream = Pick<ParkedStream, 'stream' | 'revision' | 'position' | 'error'>

export type ParkedNews =
  /** Told once, at the first look: how many, by projection. */
  { readonly type: 'parked_before'; readonly counts: Readonly<Record<string, number>> } | ParkedChange

export interface ParkedChange {
  /** `discarded`: its event was left out, and it is followed again behind it or parked at a later one. */
  readonly type: 'parked' | 'followed' | 'discarded'
  readonly projection: string
  readonly count: number
  /** The first PARKED_NAMED_MAX of them; for those that are no longer parked, the place where they were. */
  readonly streams: readonly ToldStream[]
}

type Parking = Pick<Projector, 'projection' | 'parked'>

export class ParkedWatch {
  /** By projection and stream; undefined before the first look. */
  #told: Map<string, ReadonlyMap<string, ToldStream>> | undefined
  readonly #discarded = new Map<string, ToldStream[]>()

  /** The event at which it was parked is left out for good: told with the next look. */
  discarded({ projection }: Pick<Parking, 'projection'>, parked: ToldStream): void {
    const all = this.#discarded.get(projection.name) ?? []
    this.#discarded.set(projection.name, [...all, parked])
  }

  /** What has changed since the look before. */
  look(projectors: Iterable<Parking>): readonly ParkedNews[] {
    const isFirst = this.#told === undefined
    this.#told ??= new Map()
    const told = this.#told
    const counts: Record<string, number> = {}
    const changes: ParkedChange[] = []
    for (const { projection, parked } of projectors) {
      const before = told.get(projection.name) ?? new Map<string, ToldStream>()
      const discarded = this.#discarded.get(projection.name) ?? []
      this.#discarded.delete(projection.name)
      if (parked.length === 0 && before.size === 0 && discarded.length === 0) continue
      const now = new Map(parked.map((one) => [one.stream, one]))
      told.set(projection.name, now)
      const change = (type: ParkedChange['type'], streams: readonly ToldStream[]) => {
        if (streams.length === 0) return
        const named = streams.slice(0, PARKED_NAMED_MAX).map(placeOf)
        changes.push({ type, projection: projection.name, count: streams.length, streams: named })
      }
      change('discarded', discarded)
      const leftOut = new Set(discarded.map(({ stream }) => stream))
      change(
        'followed',
        [...before.values()].filter(({ stream }) => !now.has(stream) && !leftOut.has(stream)),
      )
      if (!isFirst) {
        change(
          'parked',
          parked.filter(({ stream, revision }) => before.get(stream)?.revision !== revision),
        )
      } else if (parked.length > 0) counts[projection.name] = parked.length
    }
    return Object.keys(counts).length === 0 ? changes : [{ type: 'parked_before', counts }, ...changes]
  }
}

function placeOf({ stream, revision, position, error }: ToldStream): ToldStream {
  return { stream, revision, position, error }
}
