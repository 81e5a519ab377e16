/** How the whole installation stands. */
export function OverviewPage({ query: _query }: { readonly query: URLSearchParams }) {
  return (
    <section class="page">
      <h1>Overview</h1>
    </section>
  )
}
