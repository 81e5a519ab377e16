/** The package's door for clients in Node: what a browser has no disk for. */
export { fileReportSpool } from './client/file-report-spool.ts'
