/** How one registers an operation with this very server, in three ways. Pure. */

export interface BeginText {
  readonly name: string
  readonly about: string
  readonly text: string
}

/** `takesKey`: callers have to say who they are. */
export function beginTexts(origin: string, takesKey: boolean): readonly BeginText[] {
  const header = takesKey ? ` \\\n  -H "authorization: Bearer $VERDICT_API_KEY"` : ''
  const apiKey = takesKey ? ', { apiKey: process.env.VERDICT_API_KEY }' : ''
  const environment = takesKey ? 'VERDICT_API_KEY=vk_... ' : ''
  return [
    {
      name: 'Any command line',
      about: 'Heartbeats, progress and the exit code are kept for it.',
      text: `${environment}npx verdict run --server ${origin} -- sleep 30`,
    },
    {
      name: 'curl',
      about: 'One call registers and begins; whatever speaks HTTP can be a worker.',
      text: `curl -s ${origin}/v1/operations${header} \\\n  -H 'content-type: application/json' \\\n  -d '{"kind":"export","name":"My first","claim":true}'`,
    },
    {
      name: 'TypeScript',
      about: 'An async function as an operation, in Node or a browser.',
      text: `import { connectVerdict } from 'verdict/client'

const verdict = connectVerdict('${origin}'${apiKey})
await verdict.execute('export', { name: 'My first' }, async ({ progress }) => {
  for (let row = 1; row <= 100; row++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    progress({ processed: row, total: 100 })
  }
})`,
    },
  ]
}
