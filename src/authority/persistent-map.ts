/**
 * An immutable map whose versions share what they have in common (a hash array mapped trie: Bagwell, "Ideal Hash Trees",
 * 2001). A version is a value: keeping the durable state beside the pending one costs a reference, discarding a refused
 * decision costs nothing, and an update costs the path to one leaf however many operations live beside it.
 *
 * Folding a long history would copy the same path again and again, so a fold hands in an `Edit`: nodes made under an edit
 * are changed in place by the same edit, and by nobody after it (Clojure's transients).
 */

/** The right to change nodes in place that were made under it. One fold, one edit; dropped when the fold is done. */
export class Edit {}

type Key = string | number

interface Leaf<K, V> {
  readonly kind: 'leaf'
  readonly hash: number
  readonly key: K
  readonly value: V
}

/** Different keys of one hash. */
interface Collision<K, V> {
  readonly kind: 'collision'
  readonly hash: number
  readonly leaves: readonly Leaf<K, V>[]
}

interface Branch<K, V> {
  readonly kind: 'branch'
  readonly edit: Edit | undefined
  bitmap: number
  readonly slots: Node<K, V>[]
}

type Node<K, V> = Leaf<K, V> | Collision<K, V> | Branch<K, V>

const BITS = 5
const MASK = 31

export class PersistentMap<K extends Key, V> {
  readonly size: number
  readonly #root: Node<K, V> | undefined

  private constructor(size: number, root: Node<K, V> | undefined) {
    this.size = size
    this.#root = root
  }

  static readonly #empty = new PersistentMap<never, never>(0, undefined)

  static empty<K extends Key, V>(): PersistentMap<K, V> {
    // An empty map has no key and no value, so it is the empty map of every type.
    return PersistentMap.#empty as unknown as PersistentMap<K, V>
  }

  get(key: K): V | undefined {
    let node = this.#root
    const hash = hashOf(key)
    let shift = 0
    while (node !== undefined) {
      if (node.kind === 'branch') {
        const bit = 1 << ((hash >>> shift) & MASK)
        if ((node.bitmap & bit) === 0) return undefined
        node = node.slots[popcount(node.bitmap & (bit - 1))]
        shift += BITS
      } else if (node.kind === 'leaf') {
        return node.key === key ? node.value : undefined
      } else {
        return node.leaves.find((leaf) => leaf.key === key)?.value
      }
    }
    return undefined
  }

  has(key: K): boolean {
    return this.get(key) !== undefined
  }

  set(key: K, value: V, edit?: Edit): PersistentMap<K, V> {
    const leaf: Leaf<K, V> = { kind: 'leaf', hash: hashOf(key), key, value }
    if (this.#root === undefined) return new PersistentMap(1, leaf)
    const grown = { by: 0 }
    const root = insert(this.#root, 0, leaf, edit, grown)
    return new PersistentMap(this.size + grown.by, root)
  }

  delete(key: K, edit?: Edit): PersistentMap<K, V> {
    if (this.#root === undefined) return this
    const root = remove(this.#root, 0, hashOf(key), key, edit)
    if (root === MISSING) return this
    return root === undefined ? PersistentMap.empty() : new PersistentMap(this.size - 1, root)
  }

  *[Symbol.iterator](): IterableIterator<[K, V]> {
    if (this.#root === undefined) return
    const open: Node<K, V>[] = [this.#root]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (node.kind === 'leaf') yield [node.key, node.value]
      else if (node.kind === 'collision') for (const leaf of node.leaves) yield [leaf.key, leaf.value]
      else for (let i = node.slots.length - 1; i >= 0; i--) open.push(node.slots[i] as Node<K, V>)
    }
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this) yield value
  }
}

const MISSING = Symbol('missing')

function insert<K, V>(
  node: Node<K, V>,
  shift: number,
  leaf: Leaf<K, V>,
  edit: Edit | undefined,
  grown: { by: number },
): Node<K, V> {
  if (node.kind === 'leaf') {
    if (node.key === leaf.key) return leaf
    grown.by = 1
    if (node.hash === leaf.hash) return { kind: 'collision', hash: leaf.hash, leaves: [node, leaf] }
    return join(node, leaf, shift, edit)
  }
  if (node.kind === 'collision') {
    if (node.hash !== leaf.hash) {
      grown.by = 1
      return join(node, leaf, shift, edit)
    }
    const others = node.leaves.filter((other) => other.key !== leaf.key)
    if (others.length === node.leaves.length) grown.by = 1
    return { kind: 'collision', hash: node.hash, leaves: [...others, leaf] }
  }
  const bit = 1 << ((leaf.hash >>> shift) & MASK)
  const index = popcount(node.bitmap & (bit - 1))
  const own = editable(node, edit)
  if ((node.bitmap & bit) === 0) {
    grown.by = 1
    own.bitmap |= bit
    own.slots.splice(index, 0, leaf)
  } else {
    own.slots[index] = insert(node.slots[index] as Node<K, V>, shift + BITS, leaf, edit, grown)
  }
  return own
}

function remove<K, V>(
  node: Node<K, V>,
  shift: number,
  hash: number,
  key: K,
  edit: Edit | undefined,
): Node<K, V> | undefined | typeof MISSING {
  if (node.kind === 'leaf') return node.key === key ? undefined : MISSING
  if (node.kind === 'collision') {
    const others = node.leaves.filter((leaf) => leaf.key !== key)
    if (others.length === node.leaves.length) return MISSING
    return others.length === 1 ? others[0] : { kind: 'collision', hash: node.hash, leaves: others }
  }
  const bit = 1 << ((hash >>> shift) & MASK)
  if ((node.bitmap & bit) === 0) return MISSING
  const index = popcount(node.bitmap & (bit - 1))
  const below = remove(node.slots[index] as Node<K, V>, shift + BITS, hash, key, edit)
  if (below === MISSING) return MISSING
  if (below === undefined && node.slots.length === 1) return undefined
  const own = editable(node, edit)
  if (below === undefined) {
    own.bitmap &= ~bit
    own.slots.splice(index, 1)
  } else {
    own.slots[index] = below
  }
  const only = own.slots.length === 1 ? own.slots[0] : undefined
  return only !== undefined && only.kind !== 'branch' ? only : own
}

function editable<K, V>(node: Branch<K, V>, edit: Edit | undefined): Branch<K, V> {
  if (edit !== undefined && node.edit === edit) return node
  return { kind: 'branch', edit, bitmap: node.bitmap, slots: node.slots.slice() }
}

/** A branch over two nodes of different hashes; as deep as their hashes agree. */
function join<K, V>(
  one: Leaf<K, V> | Collision<K, V>,
  other: Leaf<K, V>,
  shift: number,
  edit: Edit | undefined,
): Branch<K, V> {
  const a = (one.hash >>> shift) & MASK
  const b = (other.hash >>> shift) & MASK
  if (a === b) return { kind: 'branch', edit, bitmap: 1 << a, slots: [join(one, other, shift + BITS, edit)] }
  return { kind: 'branch', edit, bitmap: (1 << a) | (1 << b), slots: a < b ? [one, other] : [other, one] }
}

/** Integers hash to themselves, so that neighbours share nodes; texts by FNV-1a with a final mix (murmur3). */
function hashOf(key: Key): number {
  if (typeof key === 'number') return (key | 0) ^ Math.floor(key / 0x1_0000_0000)
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

function popcount(bits: number): number {
  let n = bits - ((bits >>> 1) & 0x55555555)
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333)
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
