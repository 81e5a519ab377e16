/** An empty server: how to register the first operation. The list that it stands in shows it as soon as it is there. */
import { CopyButton } from '../operation/copy-button.tsx'
import { session } from '../session.ts'
import { beginTexts } from './begin-texts.ts'
import './first-run.css'

export function FirstRun() {
  const takesKey = session.value !== undefined && !session.value.isOpen
  return (
    <section class="first-run">
      <h2>No operation yet</h2>
      <p>
        Register one in any of these ways. It shows up here by itself, as soon as it is on disk; this page need not be
        loaded again.
      </p>
      {beginTexts(window.location.origin, takesKey).map(({ name, about, text }) => (
        <article key={name} class="begin" aria-label={name}>
          <header class="begin-head">
            <h3>{name}</h3>
            <CopyButton text={text} name="Copy" />
          </header>
          <p class="muted">{about}</p>
          <pre class="begin-text">{text}</pre>
        </article>
      ))}
      <p>
        The API is described at <a href="/docs">/docs</a>. A whole crowd to look at: <code>npm run demo:monitor</code>.
      </p>
    </section>
  )
}
