/**
 * Stored names: the streams of a log (event-store.md). Case-sensitive; each part percent-encoded, RFC 3986 unreserved
 * characters as they are; at most 128 bytes a part before encoding (the doors see to that).
 */
export const REGISTRY_PREFIX = 'registry-'
export const CURSORS_PREFIX = 'cursors-'
export const ADMIN_STREAM = 'admin'

export interface RegistryName {
  readonly workspace: string
  readonly owner: string
}

export function registryStream({ workspace, owner }: RegistryName): string {
  return `${REGISTRY_PREFIX}${encodePart(workspace)}/${encodePart(owner)}`
}

export function cursorsStream({ workspace, owner }: RegistryName): string {
  return `${CURSORS_PREFIX}${encodePart(workspace)}/${encodePart(owner)}`
}

/** The registry whose stream this is; undefined for any other stream, another spelling of a registry's name included. */
export function registryOfStream(stream: string): RegistryName | undefined {
  if (!stream.startsWith(REGISTRY_PREFIX)) return undefined
  const parts = stream.slice(REGISTRY_PREFIX.length).split('/')
  const [workspace, owner] = parts
  if (parts.length !== 2 || !workspace || !owner) return undefined
  try {
    const name = { workspace: decodeURIComponent(workspace), owner: decodeURIComponent(owner) }
    // A registry has one stream: `%61lice` would be a second history of `alice`.
    return registryStream(name) === stream ? name : undefined
  } catch {
    return undefined
  }
}

/** encodeURIComponent leaves ! ' ( ) * as they are; RFC 3986 reserves them. */
function encodePart(part: string): string {
  return encodeURIComponent(part).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
