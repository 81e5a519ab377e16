/** What a command line does to one operation: read from its flags before anything is opened, done through the API. */
import type { CommandSender } from '../client/command-sender.ts'
import type { OperationHandle } from '../client/operation-handle.ts'
import type { Verdict } from '../client/verdict.ts'
import { timeOf } from './time-option.ts'
import { UsageError } from './usage-error.ts'

type CommandAnswer = Awaited<ReturnType<CommandSender['send']>>

export interface ActionValues {
  readonly json: boolean
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly key?: string | undefined
  readonly input?: string | undefined
  readonly label?: readonly string[] | undefined
  readonly 'stale-after'?: string | undefined
  readonly 'max-runtime'?: string | undefined
  readonly lease?: string | undefined
  readonly message?: string | undefined
  readonly code?: string | undefined
  readonly percent?: string | undefined
  readonly processed?: string | undefined
  readonly total?: string | undefined
  readonly result?: string | undefined
  readonly reason?: string | undefined
  readonly phase?: string | undefined
  readonly peer?: string | undefined
  readonly in?: string | undefined
  readonly registration?: string | undefined
  readonly 'command-id'?: string | undefined
  readonly 'on-behalf-of'?: string | undefined
}

export interface Action {
  /** What stands behind its name. */
  readonly wants: string
  /** Throws UsageError. */
  prepare(subject: string, values: ActionValues): (verdict: Verdict) => Promise<Partial<CommandAnswer>>
  told(answer: Partial<CommandAnswer>): string
}

const AN_ID = 'the id of an operation'

export const ACTIONS: Readonly<Record<string, Action>> = {
  register: begins((verdict, kind, options) =>
    verdict.send({ type: 'RegisterOperation', kind, ...options.fields }, options.calling),
  ),
  start: begins((verdict, kind, options) =>
    verdict.send({ type: 'RegisterOperation', kind, claim: {}, ...options.fields }, options.calling),
  ),
  claim: sends('ProvisioningSucceeded'),
  heartbeat: sends('RecordHeartbeat', { lease: true }),
  progress: sends('ReportProgress', {
    lease: true,
    fields: (values) => ({
      message: values.message,
      percent: numberOf('--percent', values.percent),
      processed: numberOf('--processed', values.processed),
      total: numberOf('--total', values.total),
    }),
  }),
  complete: sends('CompleteOperation', {
    lease: true,
    fields: ({ result }) => ({ result: jsonIn('--result', result) }),
  }),
  fail: {
    wants: AN_ID,
    prepare(id, values) {
      const error = errorIn('fail', values)
      const leaseEpoch = numberOf('--lease', values.lease)
      const options = { ...callingOf(values), ...(leaseEpoch === undefined ? {} : { leaseEpoch }) }
      return (verdict) => verdict.operation(id).fail(error, options)
    },
    told: toldShortly,
  },
  retry: sends('RetryAttempt', {
    lease: true,
    fields: (values) => ({
      error: errorIn('retry', values),
      notBeforeAt: Date.now() + (values.in === undefined ? 0 : timeOf('--in', values.in)),
    }),
  }),
  'start-phase': sends('StartPhase', { lease: true, fields: (values) => ({ phase: wanted('phase', values) }) }),
  'complete-phase': sends('CompletePhase', {
    lease: true,
    fields: (values) => ({ phase: wanted('phase', values), result: jsonIn('--result', values.result) }),
  }),
  'fail-phase': sends('FailPhase', {
    lease: true,
    fields: (values) => ({ phase: wanted('phase', values), error: errorIn('fail-phase', values) }),
  }),
  'peer-ready': sends('PeerReady', {
    lease: true,
    fields: (values) => ({ peer: jsonIn('--peer', wanted('peer', values)) }),
  }),
  'mark-retired': sends('MarkRetired', { lease: true, fields: ({ reason }) => ({ reason }) }),
  'provisioning-failed': sends('ProvisioningFailed', {
    fields: (values) => ({ error: errorIn('provisioning-failed', values) }),
  }),
  rollback: sends('RollbackRegistration', {
    fields: (values) => ({ registrationCommandId: wanted('registration', values) }),
  }),
  cancel: steers((handle, options) => handle.cancel(options)),
  'force-cancel': steers((handle, options) => handle.forceCancel(options)),
  abort: steers((handle, options) => handle.abort(options)),
  retire: steers((handle, { reason: _reason, ...options }) => handle.retire(options)),
}

interface Beginning {
  readonly fields: Readonly<Record<string, unknown>>
  readonly calling: Calling
}

function begins(call: (verdict: Verdict, kind: string, options: Beginning) => Promise<CommandAnswer>): Action {
  return {
    wants: 'the kind of the operation',
    prepare(kind, values) {
      const staleAfterMs = timeIn('--stale-after', values['stale-after'])
      const maxRuntimeMs = timeIn('--max-runtime', values['max-runtime'])
      const policy = {
        ...(staleAfterMs === undefined ? {} : { staleAfterMs }),
        ...(maxRuntimeMs === undefined ? {} : { maxRuntimeMs }),
      }
      const { id, name, key, input } = values
      const fields = {
        id,
        name,
        key,
        input: jsonIn('--input', input),
        ...(values.label === undefined ? {} : { labels: labelsOf(values.label) }),
        ...(Object.keys(policy).length === 0 ? {} : { policy }),
      }
      const calling = callingOf(values)
      return (verdict) => call(verdict, kind, { fields, calling })
    },
    told: ({ operationId, leaseEpoch, joined }) =>
      `${operationId}${leaseEpoch === undefined ? '' : ` lease ${leaseEpoch}`}${joined === true ? ' (joined)' : ''}\n`,
  }
}

interface Sending {
  readonly lease?: true
  readonly fields?: (values: ActionValues) => Readonly<Record<string, unknown>>
}

function sends(type: string, { lease, fields = () => ({}) }: Sending = {}): Action {
  return {
    wants: AN_ID,
    prepare(id, values) {
      const leaseEpoch = numberOf('--lease', values.lease)
      const command = { ...fields(values), type, id, ...(lease === true ? { leaseEpoch } : {}) }
      const calling = callingOf(values)
      return (verdict) => verdict.send(command, calling)
    },
    told: toldShortly,
  }
}

function steers(
  call: (
    handle: OperationHandle,
    options: Calling & { readonly reason?: string; readonly leaseEpoch?: number },
  ) => Promise<CommandAnswer>,
): Action {
  return {
    wants: AN_ID,
    prepare(id, values) {
      const leaseEpoch = numberOf('--lease', values.lease)
      const options = {
        ...callingOf(values),
        ...(values.reason === undefined ? {} : { reason: values.reason }),
        ...(leaseEpoch === undefined ? {} : { leaseEpoch }),
      }
      return (verdict) => call(verdict.operation(id), options)
    },
    told: toldShortly,
  }
}

function toldShortly(answer: Partial<CommandAnswer>): string {
  const { operationId, status, outcome, leaseEpoch, cancelRequested, changed } = answer
  const facts = [
    operationId,
    status,
    ...(leaseEpoch === undefined ? [] : [`lease ${leaseEpoch}`]),
    ...(cancelRequested === true && outcome === undefined ? ['cancel requested'] : []),
    ...(changed === false ? ['(unchanged)'] : []),
  ]
  return `${facts.filter((fact) => fact !== undefined).join(' ')}\n`
}

interface Calling {
  readonly commandId?: string
  readonly onBehalfOf?: string
}

function callingOf({ 'command-id': commandId, 'on-behalf-of': onBehalfOf }: ActionValues): Calling {
  return { ...(commandId === undefined ? {} : { commandId }), ...(onBehalfOf === undefined ? {} : { onBehalfOf }) }
}

function errorIn(name: string, { message, code }: ActionValues): { readonly message: string; readonly code?: string } {
  if (message === undefined) throw new UsageError(`operations ${name} wants --message TEXT`)
  return { message, ...(code === undefined ? {} : { code }) }
}

const WANTED = { phase: 'NAME', peer: 'JSON', registration: 'COMMAND_ID' } as const

function wanted(option: keyof typeof WANTED, values: ActionValues): string {
  const given = values[option]
  if (given !== undefined && given !== '') return given
  throw new UsageError(`this command wants --${option} ${WANTED[option]}`)
}

export function labelsOf(labels: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    labels.map((text) => {
      const equals = text.indexOf('=')
      if (equals < 1) throw new UsageError(`--label wants KEY=VALUE, got "${text}"`)
      return [text.slice(0, equals), text.slice(equals + 1)]
    }),
  )
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,15}(\.\d+)?$/.test(text)) throw new UsageError(`${option} wants a number, got "${text}"`)
  return Number(text)
}

function timeIn(option: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : timeOf(option, text)
}

function jsonIn(option: string, text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`${option} wants JSON, got ${JSON.stringify(text.slice(0, 80))}`)
  }
}
