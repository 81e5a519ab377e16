/** A folder as the spool of last words: one file for each, written beside, flushed, then renamed. For Node. */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { KeptReport, ReportSpool } from './report-spool.ts'

const SUFFIX = '.report.json'

/** One process at a time: what is there is sent by whoever connects with it. */
export function fileReportSpool(folder: string): ReportSpool {
  const fileOf = (commandId: string) =>
    path.join(folder, createHash('sha256').update(commandId).digest('hex').slice(0, 32) + SUFFIX)
  return {
    async load() {
      const names = await readdir(folder).catch(() => [])
      const reports: KeptReport[] = []
      for (const name of names.filter((one) => one.endsWith(SUFFIX)).sort()) {
        reports.push(JSON.parse(await readFile(path.join(folder, name), 'utf8')) as KeptReport)
      }
      return reports
    },
    async keep(report) {
      await mkdir(folder, { recursive: true })
      const file = fileOf(report.commandId)
      const beside = `${file}.tmp`
      const handle = await open(beside, 'w')
      try {
        await handle.writeFile(JSON.stringify(report))
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(beside, file)
      await flushFolder(folder)
    },
    async remove(commandId) {
      await rm(fileOf(commandId), { force: true })
    },
  }
}

/** A new name is on disk when its folder is. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
