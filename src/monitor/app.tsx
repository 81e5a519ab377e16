/** Which page stands at which address. */
import { ErrorBoundary } from './error-boundary.tsx'
import { ErrorPage } from './error-page.tsx'
import { Layout } from './layout.tsx'
import { ListPage } from './list/list-page.tsx'
import { LoginPage } from './login/login-page.tsx'
import { OperationPage } from './operation/operation-page.tsx'
import { OverviewPage } from './overview/overview-page.tsx'
import { type Route, route } from './route.ts'

export function App() {
  const at = route.value
  return (
    <Layout>
      <ErrorBoundary key={at.path}>
        <Page at={at} />
      </ErrorBoundary>
    </Layout>
  )
}

function Page({ at }: { readonly at: Route }) {
  switch (at.type) {
    case 'list':
      return <ListPage query={at.query} />
    case 'operation':
      return <OperationPage key={at.path} workspace={at.workspace} owner={at.owner} id={at.id} query={at.query} />
    case 'overview':
      return <OverviewPage query={at.query} />
    case 'login':
      return <LoginPage query={at.query} />
    case 'unknown':
      return (
        <ErrorPage
          title="There is no such page"
          told={`Nothing is at ${at.path}.`}
          whatToDo="Go to the list of operations, or press / there to look for one by its id or name."
        />
      )
    default:
      return at satisfies never
  }
}
