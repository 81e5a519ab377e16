/** One line of JSON for each thing that happened: what, to which id. Never content, never a secret. */
import { type Logger as PinoLogger, pino } from 'pino'

export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error'>

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'

/** Writes to standard error, so that standard output stays for data. */
export function createLogger(level: LogLevel): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  )
}
