/**
 * The monitor: a page that speaks to its own server over the public API, and to nobody else.
 *
 *     address -> route --------> layout -> page -> presentational components
 *                  ^                        |  ^
 *        links, back, forward               v  | signals
 *                                    store of the page  -- api.ts -->  /v1/...   (a refusal is an ApiProblem; 401 leads to /login)
 *                                           ^
 *                                           '-- live.ts <-- one stream of events for the whole page
 *
 * - `route.ts`: the address is the state. Whatever a reload or a link to a colleague should bring back stands in it.
 * - `api.ts`: one way to ask, errors with a type. `live.ts`: one EventSource, taken up where it broke off.
 * - A page has a store (signals, no components) and components that only show. What every page uses lies in this folder:
 *   `badges.tsx`, `time-text.tsx` and `times.ts`, `icons.tsx`, `error-page.tsx`, `dialog.tsx`, `keyboard.ts`, `announcer.tsx`.
 * - `clock.ts` is the server's clock: ages are told by it, whatever the clock of this machine says.
 * - No text of the server is ever markup: everything is shown as text nodes, and the page's policy runs no script but ours.
 */
import { render } from 'preact'
import { App } from './app.tsx'
import { followAddress } from './route.ts'
import { askSession } from './session.ts'
import { followTheme } from './theme.ts'
import './theme.css'
import './layout.css'

const place = document.getElementById('app')
if (place === null) throw new Error('the page has no element "app" to live in')
followTheme()
followAddress()
void askSession().catch(() => {}) // whoever needs it asks again, and says what went wrong
render(<App />, place)
