/** What the read side refuses or can't do; the message is a sentence with the way out. */
export type ReadSideErrorCode =
  /** The rows do not reach the position that was asked for, and the time is over. */
  | 'read_model_behind'
  /** There are no rows to ask for yet. */
  | 'not_served'
  /** There is no projection, or no parked stream, of this name. */
  | 'unknown_projection'
  | 'not_parked'
  | 'rebuild_running'
  /** An event that a rule can't make sense of stands in the way of a rebuild. */
  | 'poison_event'
  | 'unknown_event'
  /** The rows that some event gives can't be stored. */
  | 'unwritable_rows'
  /** The file was deleted or replaced while it was filled. */
  | 'file_replaced'
  /** Nobody follows the log into this file, so nobody carries out what was asked. */
  | 'nobody_follows'
  | 'projection_unusable'
  | 'read_side_closed'
  | 'read_side_failed'

export class ReadSideError extends Error {
  override readonly name = 'ReadSideError'
  readonly code: string
  /** Of the rows, where it is `read_model_behind`. */
  readonly position: bigint | undefined
  /** That was asked for, where it is `read_model_behind`. */
  readonly atLeast: bigint | undefined

  constructor(
    code: ReadSideErrorCode | (string & {}),
    message: string,
    { position, atLeast, ...options }: ReadSideErrorFacts = {},
  ) {
    super(message, options)
    this.code = code
    this.position = position
    this.atLeast = atLeast
  }
}

export interface ReadSideErrorFacts extends ErrorOptions {
  readonly position?: bigint | undefined
  readonly atLeast?: bigint | undefined
}
