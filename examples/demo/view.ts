/** Shows operations as they go: a block that is drawn over itself on a terminal, a line per change anywhere else. */
import type { ListedOperation } from '../../src/index.ts'

const ROWS_MAX = 40
const BAR_CELLS = 20

export class View {
  readonly #out: NodeJS.WriteStream
  readonly #startedAt = Date.now()
  readonly #told = new Map<string, string>()
  #rows = 0

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  say(text: string): void {
    this.#erase()
    this.#out.write(`${this.#time()} ${text}\n`)
  }

  show(operations: readonly ListedOperation[]): void {
    if (this.#out.isTTY) this.#draw(operations)
    else for (const operation of operations) this.#tellChange(operation)
  }

  #draw(operations: readonly ListedOperation[]): void {
    this.#erase()
    const rows = operations.slice(-Math.min(ROWS_MAX, this.#out.rows - 2))
    for (const row of rows) this.#out.write(`${rowOf(row).slice(0, this.#out.columns - 1)}\n`)
    this.#rows = rows.length
  }

  /** The block goes; what was said before stays. */
  #erase(): void {
    if (this.#rows > 0) this.#out.write(`\u001b[${this.#rows}F\u001b[J`)
    this.#rows = 0
  }

  #tellChange(operation: ListedOperation): void {
    const { id, status, attempt, progress, cancel } = operation
    const quarter = Math.floor((progress.percent ?? 0) / 25)
    const asked = cancel !== undefined && status === 'running' ? ' cancel requested' : ''
    const now = `${status} ${attempt} ${quarter}${asked}`
    if (this.#told.get(id) === now) return
    this.#told.set(id, now)
    this.#out.write(`${this.#time()} ${rowOf(operation)}${asked}\n`)
  }

  #time(): string {
    return `${((Date.now() - this.#startedAt) / 1_000).toFixed(1).padStart(5)}s`
  }
}

function rowOf({ name, status, attempt, progress }: ListedOperation): string {
  const again = attempt > 1 ? ` (attempt ${attempt})` : ''
  const percent = progress.percent
  const bar =
    percent === undefined ? ''.padEnd(BAR_CELLS + 5) : `${barOf(percent)} ${Math.floor(percent)}%`.padEnd(BAR_CELLS + 5)
  return `${status.padEnd(12)} ${`${name}${again}`.padEnd(42)} ${bar} ${progress.message ?? ''}`.trimEnd()
}

function barOf(percent: number): string {
  const full = Math.round((percent / 100) * BAR_CELLS)
  return '#'.repeat(full) + '.'.repeat(BAR_CELLS - full)
}
