/** Rows for narrow screens: the same facts, one above the other. */
import type { ComponentChildren } from 'preact'
import type { Row } from './list-store.ts'
import {
  DurationCell,
  IdText,
  InStatusCell,
  LastSignCell,
  NameLink,
  OwnerText,
  PhaseCell,
  ReasonCell,
  reasonOf,
  StandingCell,
  StartedCell,
} from './operation-cells.tsx'

export function OperationCards({ rows }: { readonly rows: readonly Row[] }) {
  return (
    <ul class="cards">
      {rows.map((row) => (
        <OperationCard key={row.key} row={row} />
      ))}
    </ul>
  )
}

function OperationCard({ row }: { readonly row: Row }) {
  const { operation } = row
  return (
    <li class={`card row row-${row.standing}`} data-operation={operation.id}>
      <div class="card-head">
        <NameLink operation={operation} />
        <StandingCell row={row} />
      </div>
      <p class="card-of muted">
        {operation.kind} · <IdText operation={operation} /> · <OwnerText operation={operation} />
      </p>
      <dl class="card-facts">
        <Fact name="Phase">
          <PhaseCell operation={operation} />
        </Fact>
        <Fact name="In status">
          <InStatusCell operation={operation} />
        </Fact>
        <Fact name="Last sign">
          <LastSignCell operation={operation} />
        </Fact>
        <Fact name="Attempt">{operation.attempt}</Fact>
        <Fact name="Started">
          <StartedCell operation={operation} />
        </Fact>
        <Fact name="Duration">
          <DurationCell operation={operation} />
        </Fact>
      </dl>
      {reasonOf(operation) && (
        <p class="card-reason">
          <ReasonCell operation={operation} />
        </p>
      )}
    </li>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
