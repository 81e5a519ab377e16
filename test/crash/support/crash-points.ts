/**
 * Where a server is killed. Each point is exact but `random`: the process ends at that statement or at that call to the operating
 * system, whatever the load. What one of them leaves on disk is all that the next start has.
 *
 *     statement   the server kills itself there: crash-preload.ts
 *     call        strace kills it as it enters a write or a flush of that file, which is then not made
 *     time        kill -9 from outside
 */
export type Blow =
  | { readonly type: 'statement'; readonly at: string }
  | { readonly type: 'call'; readonly call: 'pwrite64' | 'fdatasync,fsync'; readonly file: string }
  | { readonly type: 'time'; readonly msMax: number }

export interface CrashPoint {
  readonly name: string
  readonly is: string
  readonly blow: Blow
  /** Which one of its kind is hit: from 1 up to this, at random. */
  readonly countMax: number
  /** What is done to the files before the server starts, so that it comes there. */
  readonly before?: 'views_missing' | 'views_of_older_version'
  /** Only the first life over a folder comes there. */
  readonly isOfNewLog?: true
}

const LOG = ''
const WRITE_AHEAD = '-wal'
const SNAPSHOTS = '-snapshots'

export const CRASH_POINTS: readonly CrashPoint[] = [
  {
    name: 'in-creation',
    is: 'a new log is built under another name, and has not taken its own',
    blow: { type: 'statement', at: 'before_link' },
    countMax: 1,
    isOfNewLog: true,
  },
  {
    name: 'random',
    is: 'at any moment, the start included',
    blow: { type: 'time', msMax: 1_500 },
    countMax: 1,
  },
  {
    name: 'before-write',
    is: 'decided and handed to SQLite; nothing of the append is in a file',
    blow: { type: 'statement', at: 'before_commit' },
    countMax: 30,
  },
  {
    name: 'torn-write',
    is: 'between two writes of one commit: its pages are in the write-ahead log in part',
    blow: { type: 'call', call: 'pwrite64', file: WRITE_AHEAD },
    countMax: 100,
  },
  {
    name: 'before-sync',
    is: 'the append is written whole, and not flushed',
    blow: { type: 'call', call: 'fdatasync,fsync', file: WRITE_AHEAD },
    countMax: 30,
  },
  {
    name: 'before-answer',
    is: 'the append is flushed, and nobody was told',
    blow: { type: 'statement', at: 'after_commit' },
    countMax: 30,
  },
  {
    name: 'in-checkpoint',
    is: 'pages of the write-ahead log are copied into the log in part, at the start or at work',
    blow: { type: 'call', call: 'pwrite64', file: LOG },
    countMax: 6,
  },
  {
    name: 'in-snapshot',
    is: 'a snapshot is written in part, or its journal',
    blow: { type: 'call', call: 'pwrite64', file: SNAPSHOTS },
    countMax: 20,
  },
  {
    name: 'after-snapshot',
    is: 'a snapshot is written, of a state that is durable',
    blow: { type: 'statement', at: 'after_snapshot' },
    countMax: 3,
  },
  {
    name: 'in-rows',
    is: 'rows and checkpoint of a read model are written and not committed',
    blow: { type: 'statement', at: 'before_rows' },
    countMax: 40,
  },
  {
    name: 'in-rebuild',
    is: 'the first rows are being made from the log: the file of the read models was not there',
    blow: { type: 'statement', at: 'before_build' },
    countMax: 15,
    before: 'views_missing',
  },
  {
    name: 'in-migration',
    is: 'rows of a newer version are being made beside those that serve',
    blow: { type: 'statement', at: 'after_build' },
    countMax: 15,
    before: 'views_of_older_version',
  },
  {
    name: 'in-swap',
    is: 'rows of a newer version take the place of those that serve, not committed',
    blow: { type: 'statement', at: 'before_swap' },
    countMax: 1,
    before: 'views_of_older_version',
  },
  {
    name: 'in-mark',
    is: 'the mark of being alive is written beside the one before it',
    blow: { type: 'statement', at: 'before_mark' },
    countMax: 4,
  },
]

/** Whether a point needs strace on this machine. */
export function needsStrace({ blow }: CrashPoint): boolean {
  return blow.type === 'call'
}

/** Throws for a name that is none. */
export function crashPoint(name: string): CrashPoint {
  const point = CRASH_POINTS.find((one) => one.name === name)
  if (point === undefined) {
    throw new Error(`there is no point '${name}': ${CRASH_POINTS.map((one) => one.name).join(', ')}`)
  }
  return point
}
