import { withoutPassword } from '../event-store/eventstoredb-address.ts'

/** A location as people and logs may see it: without the password that an address may hold. Loads nothing of any log. */
export function shownLocation(location: string): string {
  return withoutPassword(location)
}
