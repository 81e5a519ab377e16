/** Where things are told that nobody awaits. Any logger that takes facts and a sentence will do. */
export interface WarningLog {
  warn(facts: Readonly<Record<string, unknown>>, message: string): void
}

/** For those who name none: what happens behind their back must not be lost. */
export const CONSOLE_LOG: WarningLog = {
  warn: (facts, message) => console.warn(`verdict: ${message}`, facts),
}
