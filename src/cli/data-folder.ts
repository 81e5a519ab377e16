/** Where the embedded log of a project lives. */
import path from 'node:path'

export const DATA_FOLDER = '.verdict'

export function logFile(folder: string): string {
  return path.join(folder, 'verdict.db')
}
