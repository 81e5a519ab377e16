/** Who asks, and with which roles. */
import { z } from 'zod'

export const sessionSchema = z
  .looseObject({
    authenticated: z.boolean(),
    isOpen: z.boolean().meta({ description: 'Nobody has to say who he is: a server on loopback without keys.' }),
    principal: z.string().optional().meta({ description: 'The actor of what is done.' }),
    rights: z
      .record(z.string(), z.array(z.string()))
      .meta({ description: 'What these roles may do, by workspace: read, work, operate, audit, administer.' }),
    roles: z.record(z.string(), z.array(z.string())).meta({ description: 'By workspace; `*` is every workspace.' }),
    expiresAt: z.int().optional().meta({ description: 'Epoch ms; of a session.' }),
  })
  .meta({ id: 'Session' })

export type WireSession = Readonly<z.infer<typeof sessionSchema>>

export const beginSessionSchema = z
  .strictObject({
    apiKey: z.string().min(1).max(8_192).meta({ description: 'A key, or a token of somebody trusted.' }),
  })
  .meta({ id: 'BeginSession' })
