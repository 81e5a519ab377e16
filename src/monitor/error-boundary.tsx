/** A defect in one page leaves the rest of the monitor standing. */
import { Component, type ComponentChildren } from 'preact'
import { ErrorPage } from './error-page.tsx'

interface Props {
  readonly children: ComponentChildren
}

interface State {
  readonly error: unknown
}

export class ErrorBoundary extends Component<Props, State> {
  override state: State = { error: undefined }

  static override getDerivedStateFromError(error: unknown): State {
    return { error }
  }

  override render({ children }: Props, { error }: State) {
    if (error === undefined) return children
    return (
      <ErrorPage
        title="This page failed"
        told={error instanceof Error ? error.message : String(error)}
        whatToDo="It is a defect of the monitor, and nothing was changed on the server. Reload the page; if it comes back, report it with this message."
        onRetry={() => window.location.reload()}
        retry="Reload"
      />
    )
  }
}
