/** How far a projection has come, in which log. */
export interface Checkpoint {
  readonly logId: string
  /** Raised by a restore: a checkpoint of another timeline is never gone on from. */
  readonly timeline: number
  /** Of the last event that was seen, in whatever stream; 0 before the first. */
  readonly position: bigint
  /** Of that event; empty before the first. Compared with the log at start. */
  readonly hash: string
}

/** Somebody else moved the checkpoint, or took the rows away: whoever meets this stops, since its rows are not the truth any more. */
export class CheckpointLost extends Error {
  override readonly name = 'CheckpointLost'
  readonly code = 'checkpoint_lost'

  constructor(projection: string, expected: Checkpoint) {
    super(
      `The checkpoint of '${projection}' is not at position ${expected.position} any more: another process follows ` +
        'the log into the same file. This one has stopped.',
    )
  }
}
