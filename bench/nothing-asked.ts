/** A question that costs nothing: what is measured is how soon the rows are there. */
export function nothingAsked(): number {
  return 1
}
