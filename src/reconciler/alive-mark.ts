/**
 * When the authority could last be heard, kept where a restart finds it: a small file, replaced as a whole, by whichever
 * process of a log wrote last. What is lost or torn is as if it had never been: then no outage is known of.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { UnheardTime } from '../authority/grace.ts'

export interface AliveMark {
  readonly aliveAt: number
  /** Stretches before that in which it could not be heard. */
  readonly unheard: readonly UnheardTime[]
}

export interface AliveMarkStore {
  read(): AliveMark | undefined
  /** Throws what the place of the mark says. */
  write(mark: AliveMark): void
}

export function aliveMarkFile(path: string): AliveMarkStore {
  return {
    read() {
      try {
        return markOf(JSON.parse(readFileSync(path, 'utf8')))
      } catch {
        return undefined
      }
    },
    write(mark) {
      const fresh = `${path}.${process.pid}`
      writeFileSync(fresh, `${JSON.stringify(mark)}\n`)
      renameSync(fresh, path)
    },
  }
}

/** For a log that lives and dies with its process. */
export function aliveMarkInMemory(): AliveMarkStore {
  let kept: AliveMark | undefined
  return {
    read: () => kept,
    write: (mark) => {
      kept = mark
    },
  }
}

function markOf(value: unknown): AliveMark | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { aliveAt, unheard } = value as { readonly aliveAt?: unknown; readonly unheard?: unknown }
  if (!isMoment(aliveAt) || !Array.isArray(unheard)) return undefined
  const isTime = (one: { readonly from?: unknown; readonly to?: unknown } | null) =>
    isMoment(one?.from) && isMoment(one?.to) && one.from <= one.to
  return unheard.every(isTime) ? { aliveAt, unheard } : undefined
}

/** Epoch ms. */
function isMoment(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
