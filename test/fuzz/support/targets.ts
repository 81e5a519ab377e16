/** Everything that can be fuzzed, by name. */
import { bodiesTarget } from './bodies-target.ts'
import { codecTarget } from './codec-target.ts'
import { filtersTarget } from './filters-target.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import { resumeTarget } from './resume-target.ts'
import { settingsTarget } from './settings-target.ts'
import { tokensTarget } from './tokens-target.ts'

export const TARGETS: readonly FuzzTarget[] = [
  codecTarget,
  bodiesTarget,
  tokensTarget,
  filtersTarget,
  resumeTarget,
  settingsTarget,
]
