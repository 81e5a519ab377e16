/** Operations that try it again; the one that it tries again stands among its facts. */
import { StatusBadge } from '../badges.tsx'
import { operationHref } from '../route.ts'
import { Ago } from '../time-text.tsx'
import type { ToldOperation } from './told-operation.ts'

export function Related({ retries }: { readonly retries: readonly ToldOperation[] }) {
  return (
    <ul class="related">
      {retries.map((retry) => (
        <li key={retry.number}>
          <a href={operationHref({ workspace: retry.workspace, owner: retry.owner, id: retry.id })}>
            <bdi>{retry.id}</bdi>
          </a>{' '}
          <StatusBadge status={retry.status} isReconciled={retry.judgement.freshness === 'reconciled'} />{' '}
          <span class="muted">
            registered <Ago at={retry.registeredAt} />
          </span>
        </li>
      ))}
    </ul>
  )
}
