/** Where last words of workers are kept that no server has yet, so that they outlive their process. */
import type { RegistryAddress } from '../authority/questions.ts'

/** A command that ends an attempt, as it is to be sent. */
export interface KeptReport {
  readonly commandId: string
  readonly registry: RegistryAddress
  readonly command: Readonly<Record<string, unknown>>
}

export interface ReportSpool {
  /** What an earlier process could not deliver. */
  load(): Promise<readonly KeptReport[]>
  /** Kept for good when this returns. */
  keep(report: KeptReport): Promise<void>
  /** The server has it. */
  remove(commandId: string): Promise<void>
}
