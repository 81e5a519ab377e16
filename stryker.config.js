/**
 * Mutation testing of the authority: `npm run mutants`, or `npm run mutants -- --mutate 'src/authority/decide*.ts'` for some of it.
 * Verdicts are kept in `mutants/`, so that the next run looks only at what changed, sources or tests.
 */
export default {
  mutate: ['src/authority/**/*.ts'],
  plugins: ['./test/authority/support/mutant-runner.ts'],
  testRunner: 'one-process',
  // A mutant that is reached while files are loaded leaves a copy of them behind.
  maxTestRunnerReuse: 200,
  coverageAnalysis: 'perTest',
  concurrency: 1,
  timeoutMS: 5_000,
  thresholds: { high: 95, low: 90, break: 90 },
  ignorePatterns: [
    '*',
    '!src/authority',
    '!src/authority/**',
    '!test/authority',
    '!test/authority/**',
    '!docs',
    '!docs/**',
    '!package.json',
  ],
  // TypeScript 7 has no programming interface by which Stryker could read its settings; none are needed.
  tsconfigFile: 'none',
  disableTypeChecks: false,
  incremental: true,
  incrementalFile: 'mutants/verdicts.json',
  tempDirName: 'mutants/sandbox',
  reporters: ['clear-text', 'progress-append-only'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  allowConsoleColors: false,
  warnings: { slow: false },
}
