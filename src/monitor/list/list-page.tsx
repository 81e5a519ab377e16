/** The list of operations. */
export function ListPage({ query: _query }: { readonly query: URLSearchParams }) {
  return (
    <section class="page">
      <h1>Operations</h1>
    </section>
  )
}
