/** Rows for wide screens. */
import type { ComponentChildren } from 'preact'
import type { Row } from './list-store.ts'
import {
  DurationCell,
  EndedCell,
  IdText,
  InStatusCell,
  LastSignCell,
  NameLink,
  OwnerText,
  PhaseCell,
  ReasonCell,
  StandingCell,
  StartedCell,
} from './operation-cells.tsx'

interface Column {
  readonly name: string
  readonly title: string
  readonly class: string
  readonly cell: (row: Row) => ComponentChildren
}

const COLUMNS: readonly Column[] = [
  {
    name: 'Status',
    title: 'Status, and how far it can be trusted',
    class: 'col-standing',
    cell: (row) => <StandingCell row={row} />,
  },
  { name: 'Kind', title: 'Kind', class: 'col-kind', cell: ({ operation }) => operation.kind },
  { name: 'Name', title: 'Name', class: 'col-name', cell: NameLink },
  { name: 'Id', title: 'Id, shortened', class: 'col-id', cell: IdText },
  {
    name: 'Owner',
    title: 'Owner, with its workspace where that is not the default',
    class: 'col-owner',
    cell: OwnerText,
  },
  { name: 'Phase', title: 'Phases completed of all, the one under way, progress', class: 'col-phase', cell: PhaseCell },
  { name: 'In status', title: 'How long it is in its status', class: 'col-time', cell: InStatusCell },
  { name: 'Last sign', title: 'When its worker was heard of last', class: 'col-time', cell: LastSignCell },
  { name: 'Att.', title: 'Attempt', class: 'col-number', cell: ({ operation }) => operation.attempt },
  { name: 'Started', title: 'First start of all attempts', class: 'col-time', cell: StartedCell },
  { name: 'Ended', title: 'When it ended', class: 'col-time', cell: EndedCell },
  { name: 'Duration', title: 'From its first start to its end, or to now', class: 'col-time', cell: DurationCell },
  { name: 'Reason', title: 'Why it was ended by others, or what threatens it', class: 'col-reason', cell: ReasonCell },
]

export function OperationsTable({ rows }: { readonly rows: readonly Row[] }) {
  return (
    <table class="operations">
      <thead>
        <tr>
          {COLUMNS.map(({ name, title, class: of }) => (
            <th key={name} scope="col" class={of} title={title}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <OperationRow key={row.key} row={row} />
        ))}
      </tbody>
    </table>
  )
}

function OperationRow({ row }: { readonly row: Row }) {
  return (
    <tr class={`row row-${row.standing}`} data-operation={row.operation.id}>
      {COLUMNS.map(({ name, class: of, cell: Cell }) => (
        <td key={name} class={of}>
          <Cell {...row} />
        </td>
      ))}
    </tr>
  )
}
