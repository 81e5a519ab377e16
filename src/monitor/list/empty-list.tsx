/** Where there is nothing to show: why, and what to do. */
import { FirstRun } from '../first-run/first-run.tsx'
import { conditionsOf } from './list-query.ts'

export function EmptyList({ params }: { readonly params: URLSearchParams }) {
  if (params.has('page')) {
    return (
      <div class="empty">
        <h2>Nothing behind this page</h2>
        <p>
          What stood here has moved or ended. <a href="/">Begin with the first page</a>.
        </p>
      </div>
    )
  }
  if (params.get('attention') === 'true' && conditionsOf(params).length === 1) {
    return (
      <div class="empty">
        <h2>Nothing needs attention</h2>
        <p>No operation is silent for longer than its policy allows.</p>
      </div>
    )
  }
  if (conditionsOf(params).length > 0) {
    return (
      <div class="empty">
        <h2>No operation is left by these conditions</h2>
        <p>
          Text finds the beginning of an id or a name. <a href="/">Show all operations</a>.
        </p>
      </div>
    )
  }
  return <FirstRun />
}
