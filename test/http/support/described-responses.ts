/** Holds every response that a test meets against the description that the server gives of itself. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import { API_ENDPOINTS } from '../../../src/http/endpoints.ts'
import { type DescribedResponse, type JsonSchema, openApiOf } from '../../../src/http/openapi.ts'

const DOCUMENT = openApiOf(API_ENDPOINTS, { version: '0', waitSecondsMax: 60 })
const ajv = new Ajv2020({ strict: false, allErrors: true })
ajv.addSchema({ $id: 'api:', components: DOCUMENT.components })

interface Met {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** Throws for a status, a media type or a body that the description does not have. What is no address of the API is left alone. */
export function assertDescribed(method: string, path: string, { status, headers, body }: Met): void {
  const described = responsesOf(method, path.split('?', 1)[0] ?? '')
  if (described === undefined) return
  const response = described[status] ?? (status >= 400 ? described.default : undefined)
  const met = `${method} ${path} answered ${status}`
  if (response?.content === undefined) throw new Error(`${met}, which its description does not have`)
  const [media = ''] = (headers.get('content-type') ?? '').split(';', 1)
  const schema = response.content[media]?.schema
  if (schema === undefined)
    throw new Error(`${met} as "${media}", described as ${Object.keys(response.content).join(', ')}`)
  const validate = validatorOf(schema)
  if (validate(body)) return
  throw new Error(
    `${met} with what its description does not have: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body)}`,
  )
}

const validators = new Map<JsonSchema, ReturnType<typeof ajv.compile>>()

function validatorOf(schema: JsonSchema): ReturnType<typeof ajv.compile> {
  const known = validators.get(schema)
  if (known !== undefined) return known
  const referring = JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"api:#/components/')) as JsonSchema
  const validate = ajv.compile(referring)
  validators.set(schema, validate)
  return validate
}

const PATTERNS = Object.entries(DOCUMENT.paths).map(([template, methods]) => {
  const verb = /:[a-z-]+$/.exec(template)?.[0] ?? ''
  const escaped = template.slice(0, template.length - verb.length).replace(/\{\w+\}/g, '[^/]+')
  return { pattern: new RegExp(`^${escaped}${verb}$`), methods, isVerb: verb !== '' }
})

function responsesOf(method: string, path: string): Readonly<Record<string, DescribedResponse>> | undefined {
  const wanted = method.toLowerCase()
  const found = PATTERNS.filter(({ pattern, methods }) => wanted in methods && pattern.test(path))
  // A verb behind the last colon comes before an id that has colons.
  return (found.find(({ isVerb }) => isVerb) ?? found[0])?.methods[wanted]?.responses
}
