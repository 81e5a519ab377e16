/** Who looks at this page. */
export function LoginPage({ query: _query }: { readonly query: URLSearchParams }) {
  return (
    <section class="page">
      <h1>Sign in</h1>
      <p>This server answers those who show a key.</p>
    </section>
  )
}
