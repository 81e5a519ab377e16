/** What filters and sorts mean, said again of what people are shown. */
import type { ListedOperation, OperationSort } from '../../../src/authority/monitoring.ts'
import type { OperationFilter } from '../../../src/authority/monitoring-filters.ts'

export function holds(filter: OperationFilter, view: ListedOperation): boolean {
  const { judgement, problemClass, resultClass, status, kind, key, id, name, attempt, contradictions } = view
  const isActive = resultClass === 'running'
  const among = (values: readonly string[] | undefined, value: string) => values?.includes(value) ?? true
  const is = (wanted: boolean | undefined, actual: boolean) => wanted === undefined || wanted === actual
  const reasonCode = reasonCodeOf(view)
  const within = (range: OperationFilter['activity'], at: number | undefined) =>
    range === undefined || (at !== undefined && at >= (range.from ?? 0) && at < (range.until ?? Infinity))
  const text = filter.text ?? ''
  return (
    among(filter.statuses, status) &&
    among(filter.resultClasses, resultClass) &&
    among(filter.kinds, kind) &&
    among(filter.freshness, judgement.freshness) &&
    among(filter.problemClasses, problemClass) &&
    is(filter.attention, judgement.freshness === 'likely_stale') &&
    is(filter.active, isActive) &&
    is(filter.reconciled, judgement.freshness === 'reconciled') &&
    is(filter.contradicted, contradictions > 0) &&
    (filter.key === undefined || filter.key === key) &&
    (id.startsWith(text) || name.toLowerCase().startsWith(text.toLowerCase())) &&
    attempt >= (filter.attemptAtLeast ?? 0) &&
    (filter.reasonCodes === undefined || (reasonCode !== undefined && among(filter.reasonCodes, reasonCode))) &&
    among(filter.workspaces, view.workspace) &&
    among(filter.owners, view.owner) &&
    Object.entries(filter.labels ?? {}).every(([label, value]) => view.labels[label] === value) &&
    among(filter.ids, id) &&
    within(filter.registered, view.registeredAt) &&
    within(filter.started, view.startedAt) &&
    within(filter.ended, view.completedAt) &&
    within(filter.activity, view.lastActivityAt)
  )
}

export function isAmong(sort: OperationSort, view: ListedOperation): boolean {
  if (sort === 'longest_running') return view.resultClass === 'running' && view.startedAt !== undefined
  return sort !== 'most_overdue' || view.judgement.deadlineAt !== undefined
}

export function sortValue(sort: OperationSort, view: ListedOperation): number {
  const values = {
    newest_activity: -view.lastActivityAt,
    oldest_in_status: view.statusSinceAt,
    longest_running: view.startedAt ?? 0,
    most_overdue: view.judgement.deadlineAt ?? 0,
  }
  return values[sort]
}

export function inOrder(sort: OperationSort, views: readonly ListedOperation[]): readonly number[] {
  return views.map((view) => sortValue(sort, view)).sort((one, other) => one - other)
}

export function reasonCodeOf({ outcome }: ListedOperation): string | undefined {
  if (outcome?.status === 'failed' && outcome.reasonCode !== undefined) return outcome.reasonCode
  return outcome !== undefined && 'reconciliation' in outcome ? outcome.reconciliation?.reasonCode : undefined
}
