/** A question that is not answered, because it makes no sense or would cost too much; the message is a sentence for people. */
export class QuestionError extends Error {
  override readonly name = 'QuestionError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
