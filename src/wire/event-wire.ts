/** Live events over the wire: CloudEvents in structured mode, with the cursor to go on behind each. */
import { z } from 'zod'
import { jsonSchema, positionSchema } from './json-text.ts'

export const liveEventSchema = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: positionSchema,
    source: z.string(),
    type: z.string(),
    subject: z.string().optional().meta({ description: 'Id of the operation, where it is about one.' }),
    time: z.string(),
    datacontenttype: z.literal('application/json'),
    data: z.record(z.string(), jsonSchema),
    sequence: z.string().meta({ description: 'The revision in the stream of its owner.' }),
    workspace: z.string(),
    owner: z.string(),
    actor: z.string(),
    onbehalfof: z.string().optional(),
    commandid: z.string(),
    correlationid: z.string().optional(),
    causationid: z.string().optional(),
    traceparent: z.string().optional(),
    cursor: z.string().meta({ description: 'Pass it as `after` to go on behind this event.' }),
  })
  .meta({ id: 'Event', description: 'A durable event, as CloudEvents 1.0.' })

export const eventsPageSchema = z
  .looseObject({
    type: z.enum(['events', 'resync']),
    events: z.array(liveEventSchema).optional(),
    isCaughtUp: z.boolean().optional().meta({ description: 'Nothing more stood in the log when it was asked.' }),
    reason: z
      .string()
      .optional()
      .meta({ description: 'Of a resync: log_replaced or position_gone. Look afresh at what you follow, then go on.' }),
    nextAfter: z.string().meta({ description: 'What to pass as `after` to miss nothing.' }),
  })
  .meta({ id: 'Events' })
export type WireEvents = Readonly<z.infer<typeof eventsPageSchema>>
