/** The way to an answer is gone; the answer itself stands in the log, or will. */
export class ChannelClosed extends Error {
  override readonly name = 'ChannelClosed'
  readonly code = 'channel_closed'
  readonly reason: 'shutdown' | 'rolled_back' | 'registry_stopped'

  constructor(reason: 'shutdown' | 'rolled_back' | 'registry_stopped') {
    super(`the channel was closed before an answer came: ${reason}`)
    this.reason = reason
  }
}
