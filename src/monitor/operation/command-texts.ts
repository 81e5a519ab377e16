/** The same question or command for a terminal: what a page shows can be asked without it. Pure. */
import { type OperationPlace, operationPath } from './told-operation.ts'

export interface HttpCommand {
  readonly path: string
  readonly body: unknown
}

/** The key stands in the environment, so that neither a history nor this page ever holds one. */
const KEY = '"Authorization: Bearer $VERDICT_API_KEY"'

export function curlOf(origin: string, path: string): string {
  return `curl -sS -H ${KEY} ${quoted(`${origin}${path}`)}`
}

export function curlOfCommand(origin: string, { path, body }: HttpCommand): string {
  return [
    `curl -sS -X POST -H ${KEY}`,
    `-H "Idempotency-Key: $(uuidgen)" -H 'Content-Type: application/json'`,
    `-d ${quoted(JSON.stringify(body))} ${quoted(`${origin}${path}`)}`,
  ].join(' ')
}

/** `verb`: as `verdict operations` has it. */
export function cliOf(origin: string, verb: string, { workspace, owner, id }: OperationPlace, reason?: string): string {
  const because = reason === undefined ? '' : ` --reason=${quoted(reason)}`
  const place = `--server ${quoted(origin)} --workspace ${quoted(workspace)} --owner ${quoted(owner)}`
  return `verdict operations ${verb} ${place}${because} -- ${quoted(id)}`
}

export function curlOfOperation(origin: string, place: OperationPlace): string {
  return curlOf(origin, operationPath(place))
}

/** For a POSIX shell: nothing within means anything to it. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
