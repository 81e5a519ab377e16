/** One operation: where it stands, how it came there, and what may be done. */
interface Props {
  readonly workspace: string
  readonly owner: string
  readonly id: string
  readonly query: URLSearchParams
}

export function OperationPage({ workspace, owner, id }: Props) {
  return (
    <section class="page">
      <h1>{id}</h1>
      <p>
        {workspace} / {owner}
      </p>
    </section>
  )
}
