/**
 * Could what was seen from outside have been done by one thing that takes one call after the other? The search of Wing and
 * Gong (1993) with the memory of Lowe (2017): a call may take its place only before the first answer that is still missing
 * its own; a place that was tried with the same calls behind it and the same state is not tried again.
 *
 * A call without an answer may take effect at any time after it was made, or never.
 */
export interface Call<I, O> {
  readonly input: I
  /** On the clock that all calls share. */
  readonly invokedAt: number
  readonly answered?: { readonly at: number; readonly output: O }
}

/** One thing that takes one call after the other. States are values. */
export interface Model<S, I, O> {
  readonly initial: S
  /** Every state in which it may be after this call was answered so; none when it can't be. Without an output: any answer. */
  readonly step: (state: S, input: I, output: O | undefined) => readonly S[]
  readonly keyOf: (state: S) => string
  /** Wherever its place is, it changes nothing. Without an output: whatever it is answered. */
  readonly changesNothing: (input: I, output: O | undefined) => boolean
}

export type Verdict<I, O> =
  | { readonly type: 'linearizable' }
  /**
   * `story`: as few of the calls as were found to have no order, whatever the others were answered. Its last answer is the
   * first that can't be.
   */
  | { readonly type: 'violation'; readonly story: readonly Call<I, O>[] }
  /** The search took more steps than it may. */
  | { readonly type: 'undecided' }

export const STEPS_MAX = 300_000

export function checkLinearizable<S, I, O>(
  model: Model<S, I, O>,
  calls: readonly Call<I, O>[],
  stepsMax = STEPS_MAX,
): Verdict<I, O> {
  const found = search(model, calls, stepsMax)
  if (found === 'found') return { type: 'linearizable' }
  if (found === 'given_up') return { type: 'undecided' }
  return { type: 'violation', story: weakened(model, shortestPrefix(model, calls, stepsMax), stepsMax) }
}

type Found = 'found' | 'none' | 'given_up'

function search<S, I, O>(model: Model<S, I, O>, calls: readonly Call<I, O>[], stepsMax: number): Found {
  const ordered = calls
    .filter(({ answered, input }) => answered !== undefined || !model.changesNothing(input, undefined))
    .sort((a, b) => endOf(a) - endOf(b))
  const answeredCount = ordered.filter(({ answered }) => answered !== undefined).length
  const done = new Set<number>()
  const tried = new Set<string>()
  let steps = 0

  const from = (state: S, first: number): Found => {
    let next = first
    while (next < answeredCount && done.has(next)) next++
    if (next === answeredCount) return 'found'
    const stateKey = model.keyOf(state)
    const key = `${next} ${[...done].filter((i) => i > next).sort((a, b) => a - b)} ${stateKey}`
    if (tried.has(key)) return 'none'
    tried.add(key)
    // No call may take its place before this answer that was made after it.
    const limit = endOf(ordered[next] as Call<I, O>)
    const choices: { readonly place: number; readonly after: readonly S[] }[] = []
    for (const [place, { input, invokedAt, answered }] of ordered.entries()) {
      if (place < next || done.has(place) || invokedAt > limit) continue
      if (++steps > stepsMax) return 'given_up'
      const after = model.step(state, input, answered?.output)
      const isAsBefore = after.length === 1 && model.keyOf(after[0] as S) === stateKey
      if (isAsBefore && answered === undefined) continue
      // What fits now and never changes anything needs no later place.
      if (isAsBefore && model.changesNothing(input, answered?.output)) {
        choices.splice(0, choices.length, { place, after })
        break
      }
      if (after.length > 0) choices.push({ place, after })
    }
    for (const { place, after } of choices) {
      done.add(place)
      for (const one of after) {
        const found = from(one, next)
        if (found !== 'none') return found
      }
      done.delete(place)
    }
    return 'none'
  }
  return from(model.initial, 0)
}

function endOf({ answered }: Call<unknown, unknown>): number {
  return answered?.at ?? Number.POSITIVE_INFINITY
}

/** All as of the first answer that can't be: what was answered later was not answered yet, what was asked later is not there. */
function shortestPrefix<S, I, O>(
  model: Model<S, I, O>,
  calls: readonly Call<I, O>[],
  stepsMax: number,
): readonly Call<I, O>[] {
  const ends = calls.flatMap(({ answered }) => answered?.at ?? []).sort((a, b) => a - b)
  let low = 0
  let high = ends.length - 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (search(model, asOf(calls, ends[middle] as number), stepsMax) === 'none') high = middle
    else low = middle + 1
  }
  return asOf(calls, ends[high] as number)
}

function asOf<I, O>(calls: readonly Call<I, O>[], time: number): readonly Call<I, O>[] {
  return calls
    .filter(({ invokedAt }) => invokedAt <= time)
    .map((call) => (endOf(call) > time ? withoutAnswer(call) : call))
}

/** Fewer answers claim less: what is still impossible without one does not need it, nor is it told. */
function weakened<S, I, O>(
  model: Model<S, I, O>,
  calls: readonly Call<I, O>[],
  stepsMax: number,
): readonly Call<I, O>[] {
  let story = calls
  const needless = new Set<Call<I, O>>()
  for (const call of calls.toSorted((a, b) => a.invokedAt - b.invokedAt)) {
    if (call.answered === undefined) continue
    const unsaid = withoutAnswer(call)
    const weaker = story.map((one) => (one === call ? unsaid : one))
    if (search(model, weaker, stepsMax) !== 'none') continue
    story = weaker
    needless.add(unsaid)
  }
  return story
    .filter((call) => !needless.has(call) && (call.answered || !model.changesNothing(call.input, undefined)))
    .toSorted((a, b) => a.invokedAt - b.invokedAt)
}

function withoutAnswer<I, O>({ input, invokedAt }: Call<I, O>): Call<I, O> {
  return { input, invokedAt }
}
