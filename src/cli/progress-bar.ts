/** A bar that is drawn over itself, on a terminal only; somewhere else nothing is written. */
const CELLS = 30
const REDRAW_MS = 100

export class ProgressBar {
  readonly #out: NodeJS.WriteStream
  #drawnAt = 0
  #isDrawn = false

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  draw(done: number, total: number, text: string): void {
    const now = performance.now()
    if (!this.#out.isTTY || (now - this.#drawnAt < REDRAW_MS && done < total)) return
    this.#drawnAt = now
    this.#isDrawn = true
    this.#out.write(`\r\u001b[K${progressBar(done, total)} ${text}`)
  }

  clear(): void {
    if (this.#isDrawn) this.#out.write('\r\u001b[K')
    this.#isDrawn = false
  }
}

export function progressBar(done: number, total: number): string {
  const part = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total))
  const filled = Math.round(part * CELLS)
  return `[${'#'.repeat(filled)}${'-'.repeat(CELLS - filled)}] ${Math.floor(part * 100)}%`
}
