/** A bar only where the numbers can be trusted: whoever shows one has a share between 0 and 100. */
export function ProgressBar({ percent, label }: { readonly percent: number; readonly label: string }) {
  const whole = Math.min(100, Math.max(0, percent))
  return (
    <span
      class="bar"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(whole)}
    >
      <span class="bar-done" style={{ width: `${whole}%` }} />
    </span>
  )
}
