/**
 * The commands, as their senders give them: imperative, closed (an unknown field is refused), checked once, here. The key
 * order of these schemas is the order in which a command is digested, so it is stored, in a way, for ever: new fields go
 * to the end (lifecycle.md, sections 4-6).
 */
import { z } from 'zod'
import { type Bounds, isName, utf8Length } from './bounds.ts'
import { invalidCommand, jsonFaultRejection, unknownCommand } from './command-faults.ts'
import {
  type Claimant,
  claimantSchema,
  deadlineRuleSchema,
  evidenceSchema,
  type KindFacts,
  type Limits,
  limitsSchema,
  type OperationError,
  reasonCodeSchema,
  retryOfSchema,
} from './events.ts'
import { copyJson, type JsonValue } from './json-value.ts'
import { type Policy, policyOverrideSchema } from './lifecycle-policy.ts'
import { errorWithoutSecrets, withoutSecrets } from './redaction.ts'
import type { Rejection } from './rejections.ts'

const json = z.custom<JsonValue>((value) => value !== undefined, 'expected a JSON value')
const text = z.string()
const at = z.int().min(0)
const revision = z.int().min(0)

const error = z.strictObject({ message: text, code: text.optional(), details: json.optional() })
const labels = z.record(text, text)

const claimant = claimantSchema
const operation = { id: text, leaseEpoch: revision.optional() }
const reason = { reason: text.optional() }
const finite = z.number().min(0)

export const COMMAND_SCHEMAS = {
  RegisterOperation: z.strictObject({
    type: z.literal('RegisterOperation'),
    /** Minted (UUIDv7) when not given. */
    id: text.optional(),
    kind: text,
    name: text.optional(),
    source: text.optional(),
    input: json.optional(),
    labels: labels.optional(),
    /** At most one active operation per key: a second registration joins it. */
    key: text.optional(),
    /** Not to be claimed before. */
    notBeforeAt: at.optional(),
    retryOf: retryOfSchema.optional(),
    phaseResults: z.record(text, json).optional(),
    /** Replaces the registry's maxConcurrent for this call; null is unlimited. */
    maxConcurrent: z.int().min(0).nullable().optional(),
    /** Register and claim in one. */
    claim: z.strictObject({ claimant: claimant.optional() }).optional(),
    /** Within the bounds of the kind; 'none' asks to be judged by nobody. */
    policy: z.union([z.literal('none'), policyOverrideSchema]).optional(),
  }),
  ProvisioningSucceeded: z.strictObject({
    type: z.literal('ProvisioningSucceeded'),
    ...operation,
    claimant: claimant.optional(),
  }),
  ProvisioningFailed: z.strictObject({ type: z.literal('ProvisioningFailed'), ...operation, error }),
  AbortProvisioning: z.strictObject({ type: z.literal('AbortProvisioning'), ...operation, ...reason }),
  PeerReady: z.strictObject({ type: z.literal('PeerReady'), ...operation, peer: json }),
  ReportProgress: z.strictObject({
    type: z.literal('ReportProgress'),
    ...operation,
    message: text.optional(),
    percent: z.number().min(0).max(100).optional(),
    processed: finite.optional(),
    total: finite.optional(),
  }),
  RecordHeartbeat: z.strictObject({ type: z.literal('RecordHeartbeat'), ...operation }),
  RecordSigns: z.strictObject({ type: z.literal('RecordSigns'), signs: z.array(z.tuple([revision, at])).min(1) }),
  StartPhase: z.strictObject({ type: z.literal('StartPhase'), ...operation, phase: text }),
  CompletePhase: z.strictObject({
    type: z.literal('CompletePhase'),
    ...operation,
    phase: text,
    result: json.optional(),
  }),
  FailPhase: z.strictObject({ type: z.literal('FailPhase'), ...operation, phase: text, error }),
  CompleteOperation: z.strictObject({ type: z.literal('CompleteOperation'), ...operation, result: json.optional() }),
  FailOperation: z.strictObject({
    type: z.literal('FailOperation'),
    ...operation,
    error,
    asOperator: z.boolean().optional(),
  }),
  RetryAttempt: z.strictObject({ type: z.literal('RetryAttempt'), ...operation, error, notBeforeAt: at }),
  RequestCancel: z.strictObject({
    type: z.literal('RequestCancel'),
    ...operation,
    ...reason,
    deadlineAt: at.optional(),
  }),
  CancelOperation: z.strictObject({ type: z.literal('CancelOperation'), ...operation, ...reason }),
  RequestRetire: z.strictObject({ type: z.literal('RequestRetire'), ...operation }),
  MarkRetired: z.strictObject({ type: z.literal('MarkRetired'), ...operation, ...reason }),
  ReconcileOperation: z.strictObject({
    type: z.literal('ReconcileOperation'),
    ...operation,
    evidence: evidenceSchema,
    reasonCode: reasonCodeSchema,
    disposition: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('fail'), error: error.optional() }),
      z.strictObject({ type: z.literal('retry'), notBeforeAt: at, error: error.optional() }),
      z.strictObject({ type: z.literal('cancel'), ...reason }),
      z.strictObject({ type: z.literal('complete'), result: json.optional() }),
    ]),
  }),
  RaiseAttention: z.strictObject({ type: z.literal('RaiseAttention'), ...operation, rule: deadlineRuleSchema }),
  ClearAttention: z.strictObject({ type: z.literal('ClearAttention'), ...operation, rule: deadlineRuleSchema }),
  /** Its epoch is the refused report's, told for the record; it is no lease of the sender. */
  RecordContradiction: z.strictObject({
    type: z.literal('RecordContradiction'),
    id: text,
    epoch: revision.optional(),
    claimed: z.enum(['completed', 'failed']),
    result: json.optional(),
    error: error.optional(),
  }),
  RollbackRegistration: z.strictObject({
    type: z.literal('RollbackRegistration'),
    ...operation,
    registrationCommandId: text,
  }),
  OpenRegistry: z.strictObject({ type: z.literal('OpenRegistry'), limits: limitsSchema.partial().optional() }),
  ChangeLimits: z.strictObject({ type: z.literal('ChangeLimits'), limits: limitsSchema.partial() }),
  BeginWaitAll: z.strictObject({
    type: z.literal('BeginWaitAll'),
    waitId: text.optional(),
    runId: text.optional(),
    ids: z.array(text),
    deadlineAt: at.optional(),
  }),
  BeginWaitAny: z.strictObject({
    type: z.literal('BeginWaitAny'),
    waitId: text.optional(),
    runId: text.optional(),
    ids: z.array(text),
    deadlineAt: at.optional(),
  }),
  CancelWait: z.strictObject({ type: z.literal('CancelWait'), waitId: text }),
  ExpireWait: z.strictObject({ type: z.literal('ExpireWait'), waitId: text }),
  TerminateOwner: z.strictObject({ type: z.literal('TerminateOwner'), reason: text }),
  RetireOwner: z.strictObject({ type: z.literal('RetireOwner'), reason: text }),
  CollectCompleted: z.strictObject({ type: z.literal('CollectCompleted') }),
} as const

type Schemas = typeof COMMAND_SCHEMAS
export type CommandType = keyof Schemas
export type CommandOf<T extends CommandType> = Readonly<z.infer<Schemas[T]>>
export type Command = { [T in CommandType]: CommandOf<T> }[CommandType]

/** A command of one operation, RegisterOperation excepted. */
export type OperationCommand = Exclude<Extract<Command, { readonly id: string }>, CommandOf<'RegisterOperation'>>

/** A command as it is decided: with its id, its digest, the node's time, and all that a node mints or resolves for it. */
export interface StampedCommand<C extends Command = Command> {
  readonly command: C
  readonly commandId: string
  readonly digest: string
  /** Epoch ms, by the deciding node's clock. */
  readonly at: number
  readonly resolved: Resolved
}

/** Never part of the digest: the same command may meet another configuration and other minted ids when it is sent again. */
export interface Resolved {
  /** For a command that opens a registry. */
  readonly opening?: { readonly registryId: string; readonly digestKey: string; readonly limits: Limits }
  readonly operationId?: string
  readonly kindFacts?: KindFacts
  readonly policy?: Policy | null
  /** Who claims where the command does not say. */
  readonly claimant?: Claimant
  readonly waitId?: string
  readonly deadlineAt?: number
  /** How many reports of progress this one stands for; 1 when not given. */
  readonly reports?: number
}

export interface ParsedCommand {
  readonly command: Command
  /** The JSON text of what the sender sent, in schema key order: what is digested. */
  readonly text: string
}

/**
 * A command from outside: parsed and within its bounds, or a rejection (`invalid_command`, `unsafe_number`,
 * `content_too_large`) that names the path and what was expected there. Never throws.
 */
export function parseCommand(input: unknown, bounds: Bounds): ParsedCommand | { readonly rejection: Rejection } {
  // Before the schema: a copy has no getters, no second owner and an end.
  const copied = copyJson(input, { depthMax: bounds.jsonDepthMax, valuesMax: bounds.jsonValuesMax })
  if ('fault' in copied) return { rejection: jsonFaultRejection(copied.fault) }
  const { value } = copied
  const type = typeOf(value)
  if (type === undefined) {
    return { rejection: unknownCommand(value) }
  }
  const schema: z.ZodType = COMMAND_SCHEMAS[type]
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    const issue = deepest(parsed.error.issues[0])
    return { rejection: invalidCommand(issue.path.map(pathPart), issue.message, undefined) }
  }
  const given = parsed.data as Command
  // The digest is of what was sent, under a key: the same command is known again, and what it held is not.
  const text = JSON.stringify(given)
  const command = redacted(given)
  const excess = boundFault(command, bounds) ?? contentBytesFault(command, text, bounds)
  return excess === undefined ? { command, text } : { rejection: excess }
}

/** Without the secrets in what its sender wrote for others to read. */
function redacted(command: Command): Command {
  const written: { message?: string; reason?: string; error?: OperationError; disposition?: unknown } = {}
  if ('message' in command && command.message !== undefined) written.message = withoutSecrets(command.message)
  if ('reason' in command && command.reason !== undefined) written.reason = withoutSecrets(command.reason)
  if ('error' in command && command.error !== undefined) written.error = errorWithoutSecrets(command.error)
  if (command.type === 'ReconcileOperation' && 'error' in command.disposition) {
    const { error } = command.disposition
    if (error !== undefined) written.disposition = { ...command.disposition, error: errorWithoutSecrets(error) }
  }
  return Object.keys(written).length === 0 ? command : ({ ...command, ...written } as Command) // fields of the same types
}

function typeOf(input: JsonValue): CommandType | undefined {
  if (typeof input !== 'object' || input === null || !('type' in input)) return undefined
  const { type } = input
  return typeof type === 'string' && Object.hasOwn(COMMAND_SCHEMAS, type) ? (type as CommandType) : undefined
}

function boundFault(command: Command, bounds: Bounds): Rejection | undefined {
  for (const [name, value] of namesOf(command)) {
    if (isName(value, bounds.nameBytesMax)) continue
    const bytes = utf8Length(value)
    const expected = `1 to ${bounds.nameBytesMax} bytes of printable text`
    return invalidCommand(
      name.split('.'),
      expected,
      bytes > bounds.nameBytesMax ? `${bytes} bytes` : JSON.stringify(value),
    )
  }
  if (command.type === 'RegisterOperation') {
    const entries = Object.entries(command.labels ?? {})
    if (entries.length > bounds.labelsMax) {
      return invalidCommand(['labels'], `at most ${bounds.labelsMax} labels`, `${entries.length}`)
    }
    for (const [name, value] of entries) {
      if (!isName(name, bounds.labelNameBytesMax) || utf8Length(value) > bounds.labelValueBytesMax) {
        const expected = `a printable name of 1 to ${bounds.labelNameBytesMax} bytes and a value of at most ${bounds.labelValueBytesMax}`
        return invalidCommand(['labels', name], expected, `${utf8Length(name)} and ${utf8Length(value)} bytes`)
      }
    }
    const carriedOver = Object.keys(command.phaseResults ?? {}).length
    if (carriedOver > bounds.phasesMax) {
      return invalidCommand(['phaseResults'], `at most ${bounds.phasesMax} phases`, `${carriedOver}`)
    }
  }
  if (
    (command.type === 'BeginWaitAll' || command.type === 'BeginWaitAny') &&
    command.ids.length > bounds.waitMembersMax
  ) {
    return invalidCommand(['ids'], `at most ${bounds.waitMembersMax} operations`, `${command.ids.length}`)
  }
  return undefined
}

/** Names that travel as facts: bounded, printable, never empty. */
function namesOf(command: Command): readonly (readonly [string, string])[] {
  const names: (readonly [string, string])[] = []
  const add = (path: string, value: string | undefined) => {
    if (value !== undefined) names.push([path, value])
  }
  if ('id' in command) add('id', command.id)
  if ('waitId' in command) add('waitId', command.waitId)
  if ('runId' in command) add('runId', command.runId)
  if ('phase' in command) add('phase', command.phase)
  if ('ids' in command) for (const [i, id] of command.ids.entries()) add(`ids.${i}`, id)
  const claimedBy = claimantOf(command)
  add('claimant.id', claimedBy?.id)
  add('claimant.host', claimedBy?.host)
  add('claimant.version', claimedBy?.version)
  if (command.type === 'RegisterOperation') {
    add('kind', command.kind)
    add('key', command.key)
    add('retryOf.id', command.retryOf?.id)
    for (const phase of Object.keys(command.phaseResults ?? {})) add('phaseResults', phase)
  }
  if (command.type === 'RollbackRegistration') add('registrationCommandId', command.registrationCommandId)
  return names
}

/** The claimant that a command names itself, if it may and does. */
export function claimantOf(command: Command): Claimant | undefined {
  if (command.type === 'ProvisioningSucceeded') return command.claimant
  return command.type === 'RegisterOperation' ? command.claim?.claimant : undefined
}

/** Fields of commands that become content of an event. A disposition counts whole: its facts are a few bytes. */
const CONTENT_FIELDS = [
  'name',
  'source',
  'input',
  'labels',
  'phaseResults',
  'peer',
  'message',
  'result',
  'error',
  'reason',
  'disposition',
] as const

/** Measured as the JSON text that is stored. */
function contentBytesFault(command: Command, text: string, bounds: Bounds): Rejection | undefined {
  // A part of a text that fits fits; one UTF-16 unit is at most three bytes.
  if (text.length * 3 <= bounds.contentBytesMax) return undefined
  // Each command has some of these fields, or none.
  const fields = command as Partial<Record<(typeof CONTENT_FIELDS)[number], unknown>>
  const content: Record<string, unknown> = {}
  for (const field of CONTENT_FIELDS) if (fields[field] !== undefined) content[field] = fields[field]
  const bytes = utf8Length(JSON.stringify(content))
  if (bytes <= bounds.contentBytesMax) return undefined
  return {
    code: 'content_too_large',
    message: `the content of ${command.type} takes ${bytes} bytes, at most ${bounds.contentBytesMax} are stored in one event`,
    facts: { command: command.type, bytes, limit: bounds.contentBytesMax },
  }
}

interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
  readonly errors?: readonly (readonly Issue[])[]
}

/** A union reports its branches; the branch that came furthest says what is really wrong. */
function deepest(issue: unknown): Issue {
  // Zod types the first issue of a failed parse as possibly missing; it never is.
  const found = issue as Issue
  const [unknownField] = found.keys ?? []
  if (unknownField !== undefined) return { path: [...found.path, unknownField], message: 'no such field' }
  const branches = (found.errors ?? []).flatMap((branch) => branch[0] ?? [])
  const inner = branches.toSorted((a, b) => b.path.length - a.path.length)[0]
  if (inner === undefined) return found
  const { path, message } = deepest(inner)
  return { path: [...found.path, ...path], message }
}

function pathPart(part: PropertyKey): string | number {
  return typeof part === 'symbol' ? String(part) : part
}
