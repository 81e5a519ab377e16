export const NODE_MAJOR_MIN = 22

/** The sentence that refuses to run on this version of Node (`process.versions.node`); undefined when it is new enough. */
export function nodeVersionRefusal(version: string): string | undefined {
  if (Number.parseInt(version, 10) >= NODE_MAJOR_MIN) return undefined
  return `verdict needs Node ${NODE_MAJOR_MIN} or later; this is Node ${version}.`
}
