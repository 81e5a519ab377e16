/** The streams of registries by name: checked and encoded once, because every command asks. */
import { type Bounds, isName, utf8Length } from '../authority/bounds.ts'
import type { Rejection } from '../authority/rejections.ts'
import { type RegistryName, registryStream } from '../event-store/stream-names.ts'

const NAMES_KEPT = 16_384

export class RegistryNames {
  readonly #bounds: Bounds
  readonly #streams = new Map<string, Map<string, string>>()
  #kept = 0

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  /** The stream, or why there can be none of this name. */
  streamOf(name: RegistryName): string | Rejection {
    return this.#streams.get(name.workspace)?.get(name.owner) ?? this.#checked(name)
  }

  #checked(name: RegistryName): string | Rejection {
    const { workspace, owner } = name
    const fault = nameFault('workspace', workspace, this.#bounds) ?? nameFault('owner', owner, this.#bounds)
    if (fault !== undefined) return fault
    if (this.#kept >= NAMES_KEPT) {
      this.#streams.clear()
      this.#kept = 0
    }
    const stream = registryStream(name)
    const owners = this.#streams.get(workspace) ?? new Map<string, string>()
    this.#streams.set(workspace, owners.set(owner, stream))
    this.#kept++
    return stream
  }
}

/** What is wrong with a name that somebody gave; undefined when nothing is. */
export function nameFault(
  path: string,
  value: unknown,
  { nameBytesMax }: Pick<Bounds, 'nameBytesMax'>,
): Rejection | undefined {
  if (typeof value === 'string' && isName(value, nameBytesMax)) return undefined
  const expected = `1 to ${nameBytesMax} bytes of printable text`
  const got = typeof value === 'string' ? `${utf8Length(value)} bytes` : typeof value
  return invalid(path, expected, got)
}

function invalid(path: string, expected: string, got: string): Rejection {
  const message = `${path}: expected ${expected}, got ${got}`
  return { code: 'invalid_command', message, facts: { path, expected, got } }
}
