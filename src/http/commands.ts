/** A command from a request to the door, and its result as a reply. */
import type { CommandAnswer, CommandResult } from '../authority/command-answer.ts'
import { COMMAND_SCHEMAS, type CommandType } from '../authority/commands.ts'
import type { RegistryAddress } from '../authority/questions.ts'
import type { Rejection } from '../authority/rejections.ts'
import { answerUnchanged } from '../authority/unchanged-answer.ts'
import { answerOnWire, unchangedOnWire, type WireAnswer } from '../wire/command-wire.ts'
import { spokenPolicy } from '../wire/policy-wire.ts'
import { COMMANDS_OF_NODES } from '../wire/verbs.ts'
import type { Call, Reply } from './endpoint.ts'
import { errorResponse, RequestRefused } from './error-responses.ts'
import type { Host } from './host.ts'
import { forbidden } from './operation-address.ts'
import { type Right, rightOfCommand, standing } from './roles.ts'

/** Members of a command that its address says already: in a body they would be a second word for it. */
const SAID_BY_THE_ADDRESS = ['type', 'id'] as const

/** The command of a custom verb: the body with what the address says. Throws RequestRefused. */
export function commandOf(type: CommandType, body: unknown, id?: string): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    const got = body === null ? 'null' : Array.isArray(body) ? 'a list' : typeof body
    throw new RequestRefused('invalid_command', `the body: expected an object, got ${got}`, {
      path: '',
      expected: 'an object',
      got,
    })
  }
  for (const name of SAID_BY_THE_ADDRESS) {
    if (!Object.hasOwn(body, name) || (name === 'id' && id === undefined)) continue
    const expected = 'no such field: the address says it'
    throw new RequestRefused('invalid_command', `${name}: ${expected}`, { path: name, expected })
  }
  return { ...body, type, ...(id === undefined ? {} : { id }) }
}

/** Sends it where its sender may. Throws RequestRefused, at once. */
export function sendCommand(
  { principal, sender }: Pick<Call, 'principal' | 'sender'>,
  { door }: Host,
  registry: RegistryAddress,
  command: Readonly<Record<string, unknown>>,
): Promise<CommandResult> {
  const { type } = command
  if (typeof type === 'string' && Object.hasOwn(COMMAND_SCHEMAS, type)) {
    const known = type as CommandType
    const right = rightOfCommand(known, command)
    const allowed = standing(principal, registry.workspace, right)
    if (allowed === 'unknown') throw unknownWorkspace(registry, right)
    if (allowed === 'forbidden' || COMMANDS_OF_NODES.has(known)) {
      throw forbidden(principal.name, right, registry.workspace)
    }
  } else if (standing(principal, registry.workspace, 'read') === 'unknown') {
    throw unknownWorkspace(registry)
  }
  return door.send(registry, withStoredNames(command), sender)
}

/** Durations of a registration's policy may be written as people do. Throws RequestRefused. */
function withStoredNames(command: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (command.type !== 'RegisterOperation' || !Object.hasOwn(command, 'policy')) return command
  const spoken = spokenPolicy(command.policy)
  if (!('fault' in spoken)) return { ...command, policy: spoken.policy }
  const { path, expected } = spoken.fault
  throw new RequestRefused('invalid_command', `${path}: expected ${expected}`, { path, expected })
}

/** The same for a workspace that is not there and for one in which the caller has no role. */
export function unknownWorkspace(
  { workspace }: Pick<RegistryAddress, 'workspace'>,
  right: Right = 'read',
): RequestRefused {
  return new RequestRefused('not_found', `there is no workspace ${workspace} for you`, {}, { right, workspace })
}

/** An answer or a problem; an idempotent refusal is an answer that changed nothing. */
export function replyOf(result: CommandResult, requestId: string, okStatus: (answer: CommandAnswer) => number): Reply {
  const answered = answeredOf(result)
  if ('answer' in answered) return { status: okStatus(answered.answer), body: answered.body }
  const { status, problem, headers } = errorResponse(answered.rejection, requestId, answered.place)
  return { status, body: problem, headers }
}

type Answered =
  | { readonly answer: CommandAnswer; readonly body: WireAnswer }
  | { readonly rejection: Rejection; readonly place: Extract<CommandResult, { readonly type: 'refused' }>['place'] }

export function answeredOf(result: CommandResult): Answered {
  if (result.type === 'answered') return { answer: result.answer, body: answerOnWire(result.answer) }
  const { rejection, place } = result
  if (rejection.idempotent !== true) return { rejection, place }
  const answer = answerUnchanged(rejection, place)
  return { answer, body: unchangedOnWire(rejection, answer) }
}

/** What a refusable question answers; throws RequestRefused for a refusal. */
export function answeredOrThrow<T>(
  asked:
    | { readonly type: 'answered'; readonly answer: T }
    | { readonly type: 'refused'; readonly rejection: Rejection },
): T {
  if (asked.type === 'answered') return asked.answer
  const { code, message, facts } = asked.rejection
  throw new RequestRefused(code, message, facts)
}
