/** The admin stream over the wire: as it stands in the log, with its hashes, so that whoever reads it can keep its head elsewhere. */
import { z } from 'zod'
import { positionSchema } from './json-text.ts'

export const adminEventsSchema = z
  .looseObject({
    events: z.array(
      z.looseObject({
        revision: z.int(),
        position: positionSchema,
        hash: z.string().meta({ description: 'SHA-256 in hex over the hash of the event before it and its own body.' }),
        type: z.string(),
        facts: z.record(z.string(), z.unknown()),
        content: z.record(z.string(), z.unknown()),
        metadata: z.looseObject({
          at: z.int().meta({ description: 'Epoch ms.' }),
          actor: z.string(),
          onBehalfOf: z.string().optional(),
          commandId: z.string(),
          commandType: z.string(),
        }),
      }),
    ),
    nextAfter: z.int().meta({ description: 'What to pass as `after` to miss nothing.' }),
    isCaughtUp: z.boolean().meta({ description: 'Nothing more stood there when it was asked.' }),
  })
  .meta({ id: 'AdminEvents' })
export type WireAdminEvents = Readonly<z.infer<typeof adminEventsSchema>>
