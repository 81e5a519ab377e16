/** A moment as a text of RFC 3339, in UTC with milliseconds: by arithmetic, because the authority knows no `Date`. */
export function utcText(epochMs: number): string {
  const days = Math.floor(epochMs / DAY_MS)
  const ms = epochMs - days * DAY_MS
  const { year, month, day } = civilDate(days)
  const time = [Math.floor(ms / HOUR_MS), Math.floor(ms / MINUTE_MS) % 60, Math.floor(ms / 1_000) % 60].map(twoDigits)
  return `${digits(year, 4)}-${twoDigits(month)}-${twoDigits(day)}T${time.join(':')}.${digits(ms % 1_000, 3)}Z`
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

const DAYS_BEFORE_EPOCH = 719_468
const DAYS_PER_ERA = 146_097
const YEARS_PER_ERA = 400

/** Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March, eras last 400 of them. */
function civilDate(daysSinceEpoch: number): { year: number; month: number; day: number } {
  const days = daysSinceEpoch + DAYS_BEFORE_EPOCH
  const era = Math.floor(days / DAYS_PER_ERA)
  const dayOfEra = days - era * DAYS_PER_ERA
  const leapDays = Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return { year: era * YEARS_PER_ERA + yearOfEra + (month <= 2 ? 1 : 0), month, day }
}

function twoDigits(value: number): string {
  return digits(value, 2)
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0')
}
