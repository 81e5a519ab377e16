/** What a thread of the read side is started with: everything by value or by name, because functions can't be sent. */
import type { MessagePort } from 'node:worker_threads'
import type { RetentionCounts } from './list-retention.ts'
import type { ParkedNews } from './parked-watch.ts'
import type { ModuleExport } from './question.ts'
import type { ReadSideSettings } from './read-side-settings.ts'

/** Where the thread finds the log. */
export type LogPlace =
  | { readonly type: 'sqlite'; readonly path: string; readonly nudges: SharedArrayBuffer }
  | { readonly type: 'eventstoredb'; readonly connectionString: string }
  /** In the memory of the thread that started it. */
  | { readonly type: 'port'; readonly port: MessagePort }

/** `follow` writes rows, `ask` answers questions, `build` rebuilds or checks and ends. */
export type ThreadRole = 'follow' | 'ask' | 'build'

export interface ThreadData {
  readonly role: ThreadRole
  /** Of the file of the read models. */
  readonly path: string
  readonly log: LogPlace
  readonly projections: readonly ModuleExport[]
  readonly settings: ReadSideSettings
  readonly holder: string
  readonly mode: 'follow' | 'watch'
  /** Of RowMoves. */
  readonly moves: SharedArrayBuffer
}

/** A projection that somebody named and that is none: not there, or not one. */
export interface UnusableProjection {
  /** Of the export: what it calls itself nobody knows. */
  readonly name: string
  readonly message: string
}

/** What a follower tells without being asked. */
export type FollowerNews =
  | { readonly type: 'unusable'; readonly projections: readonly UnusableProjection[] }
  | { readonly type: 'unbuilt'; readonly projections: readonly string[] }
  | { readonly type: 'parked'; readonly news: readonly ParkedNews[] }
  | ({ readonly type: 'retention' } & RetentionCounts)
