/** So many at once, each begun when the one before it has ended, for so long; those under way at the end are waited for. */
export interface Looped {
  readonly count: number
  readonly seconds: number
}

export async function closedLoop(inFlight: number, seconds: number, one: () => Promise<void>): Promise<Looped> {
  const began = performance.now()
  const until = began + seconds * 1_000
  let count = 0
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < until) {
        await one()
        count++
      }
    }),
  )
  return { count, seconds: (performance.now() - began) / 1_000 }
}
