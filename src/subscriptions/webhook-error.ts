/** What configuring and asking for webhooks may come to; the message is a sentence with the way out. */
export type WebhookErrorCode =
  | 'invalid_endpoint'
  | 'unknown_endpoint'
  | 'unknown_delivery'
  /** It stands in the options of a process, and comes back with them. */
  | 'configured_elsewhere'
  | 'too_many'
  /** The log is another one than the one that was followed. */
  | 'log_replaced'
  /** The file is something else, or of a newer version. */
  | 'file_unusable'

export class WebhookError extends Error {
  override readonly name = 'WebhookError'
  readonly code: WebhookErrorCode

  constructor(code: WebhookErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
