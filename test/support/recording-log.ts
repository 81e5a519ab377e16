import type { WarningLog } from '../../src/runtime/warning-log.ts'

/** Keeps what it is told. */
export class RecordingLog implements WarningLog {
  readonly lines: { readonly facts: Readonly<Record<string, unknown>>; readonly message: string }[] = []

  warn(facts: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ facts, message })
  }
}
