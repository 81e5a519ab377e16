/** Choices of whoever looks, kept in this browser; where it keeps nothing, made again each time. */
export function kept(name: string): string | undefined {
  try {
    return window.localStorage.getItem(name) ?? undefined
  } catch {
    return undefined
  }
}

export function keep(name: string, value: string): void {
  try {
    window.localStorage.setItem(name, value)
  } catch {
    // It goes without.
  }
}
