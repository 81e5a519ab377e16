/**
 * Durations counted in buckets that grow by a fixed factor, eight of them for each doubling: whatever the range, a quantile
 * is right to within 4.5 per cent, and histograms add up by adding their counts.
 */

/** Pairs of bucket and count, ascending by bucket. */
export type DurationHistogram = readonly Bucket[]
type Bucket = readonly [bucket: number, count: number]

export const EMPTY_HISTOGRAM: DurationHistogram = []

const BUCKETS_PER_DOUBLING = 8

/** The histogram with one more duration (or `count` of them); below a millisecond counts as none. */
export function withDuration(histogram: DurationHistogram, durationMs: number, count = 1): DurationHistogram {
  const bucket = bucketOf(durationMs)
  let at = histogram.length
  while (at > 0 && (histogram[at - 1] as Bucket)[0] > bucket) at--
  const known = histogram[at - 1]
  if (known?.[0] === bucket) return histogram.with(at - 1, [bucket, known[1] + count])
  return histogram.toSpliced(at, 0, [bucket, count])
}

export function mergedHistograms(histograms: readonly DurationHistogram[]): DurationHistogram {
  const counts = new Map<number, number>()
  for (const histogram of histograms) {
    for (const [bucket, count] of histogram) counts.set(bucket, (counts.get(bucket) ?? 0) + count)
  }
  return [...counts].sort(([one], [other]) => one - other)
}

/**
 * The duration, in ms, that a share of them (0 to 1) does not exceed, to within 4.5 per cent; undefined where nothing was
 * counted.
 */
export function quantileOf(histogram: DurationHistogram, share: number): number | undefined {
  const total = histogram.reduce((sum, [, count]) => sum + count, 0)
  let passed = 0
  for (const [bucket, count] of histogram) {
    passed += count
    if (passed >= Math.max(1, Math.ceil(share * total))) return middleOf(bucket)
  }
  return undefined
}

function bucketOf(durationMs: number): number {
  return durationMs < 1 ? 0 : Math.floor(Math.log2(durationMs) * BUCKETS_PER_DOUBLING) + 1
}

function middleOf(bucket: number): number {
  return bucket === 0 ? 0 : 2 ** ((bucket - 0.5) / BUCKETS_PER_DOUBLING)
}
