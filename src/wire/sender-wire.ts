/** Who sends a command: what stands beside it in a body. The actor never does: he is who shows the key. */
import { z } from 'zod'

export const onBehalfOfSchema = z.string().optional().meta({
  description: 'For whom the caller says he acts: stored and shown beside him, never in his place. Gives no right.',
})
