/** What a seed decides: every throw of the dice of a simulation. */
import { seededRandom } from '../../support/seeded-random.ts'

export class Chance {
  /** From 0 to 1. */
  readonly fraction: () => number

  constructor(seed: number) {
    this.fraction = seededRandom(seed)
  }

  /** Whether something of this share happens. */
  is(share: number): boolean {
    return this.fraction() < share
  }

  between(min: number, max: number): number {
    return min + this.fraction() * (max - min)
  }

  /** Mostly short, now and then long. */
  latency({ usualMs, slowMs }: { readonly usualMs: number; readonly slowMs: number }): number {
    return this.is(0.05) ? this.between(usualMs, slowMs) : this.between(0, usualMs)
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.fraction() * from.length)] as T
  }

  /** Fills a buffer, as a source of ids. */
  readonly bytes = (into: Uint8Array): void => {
    for (let i = 0; i < into.length; i++) into[i] = Math.floor(this.fraction() * 256)
  }

  /** 16 bytes in hex. */
  readonly salt = (): string => {
    const bytes = Buffer.alloc(16)
    this.bytes(bytes)
    return bytes.toString('hex')
  }
}
