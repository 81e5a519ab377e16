/** An endpoint: where events go, which ones, and signed by which secrets. Its options as people write them are checked here. */
import { z } from 'zod'
import { CLOUD_EVENT_TYPES } from '../authority/cloud-event.ts'
import { checkedUrl } from './webhook-address.ts'
import { WebhookError } from './webhook-error.ts'
import { isSecret } from './webhook-signature.ts'

/** Beside a new secret, while receivers change over. */
const SECRETS_MAX = 4
const TYPES_MAX = 64
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

export const webhookFilterSchema = z.strictObject({
  /**
   * Types of events: `verdict.operation.completed`, all of a subject as `verdict.operation.*`, or `*`. Default: all but progress
   * and signs of life.
   */
  types: z.array(z.string().refine(isTypePattern, 'there is no such type of event')).min(1).max(TYPES_MAX).optional(),
  workspace: z.string().min(1).optional(),
  owner: z.string().min(1).optional(),
  /** Of the operation that an event is about; of any of them where it is about many. */
  kind: z.string().min(1).optional(),
})

export const webhookEndpointSchema = z.strictObject({
  id: z.string().regex(NAME, 'expected letters, digits, - and _, 64 at most'),
  url: z.string(),
  /** Newest first; each message is signed with all of them. */
  secrets: z
    .array(z.string().refine(isSecret, 'expected "whsec_" and 24 to 64 bytes in base64'))
    .min(1)
    .max(SECRETS_MAX),
  ...webhookFilterSchema.shape,
  /** Lets it lead to private, loopback and link-local addresses, and by http:. */
  allowPrivateAddresses: z.boolean().default(false),
  disabled: z.boolean().default(false),
})

export type WebhookFilter = Readonly<z.infer<typeof webhookFilterSchema>>
export type WebhookEndpointOptions = Readonly<z.input<typeof webhookEndpointSchema>>
export type CheckedEndpoint = Readonly<z.infer<typeof webhookEndpointSchema>>

/** Throws WebhookError `invalid_endpoint`, which names what was expected and never a secret. */
export function checkedEndpoint(options: WebhookEndpointOptions): CheckedEndpoint {
  const parsed = webhookEndpointSchema.safeParse(options)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = ['endpoint', ...(issue?.path ?? [])].map(String).join('.')
    throw new WebhookError('invalid_endpoint', `${where}: ${issue?.message ?? 'not valid'}`)
  }
  return { ...parsed.data, url: checkedUrl(parsed.data.url, parsed.data.allowPrivateAddresses).href }
}

/** A secret may end later than the next one begins. */
export interface EndpointSecret {
  readonly secret: string
  /** Epoch ms; absent for one that stays. */
  readonly until?: number
}

/** How an endpoint is kept. */
export interface WebhookEndpoint {
  readonly id: string
  readonly url: string
  readonly secrets: readonly EndpointSecret[]
  readonly filter: WebhookFilter
  readonly allowPrivateAddresses: boolean
  /** By the options of a process, or by command. */
  readonly origin: 'options' | 'command'
  /** Events behind this position are for it. */
  readonly after: bigint
  readonly standing: 'enabled' | 'disabled'
  /** Why it is disabled. */
  readonly reason: string | undefined
  /** Since when it has had its standing, epoch ms. */
  readonly since: number
  /** Events behind this position were not kept for it, since it was disabled. */
  readonly missedAfter: bigint | undefined
  readonly failingSince: number | undefined
  readonly lastSuccessAt: number | undefined
  readonly lastFailure: string | undefined
  /** Deliveries that wait, those that wait for another try included. */
  readonly waiting: number
}

export function wantsType({ types }: WebhookFilter, type: string): boolean {
  if (types === undefined) return !NOT_BY_DEFAULT.has(type)
  return types.some((pattern) => matches(pattern, type))
}

/** Worth a request of their own only to who asks for them. */
const NOT_BY_DEFAULT: ReadonlySet<string> = new Set(['verdict.progress.reported', 'verdict.signs.of_life_recorded'])

function isTypePattern(pattern: string): boolean {
  return [...CLOUD_EVENT_TYPES].some((type) => matches(pattern, type))
}

function matches(pattern: string, type: string): boolean {
  if (pattern === '*') return true
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type
}
