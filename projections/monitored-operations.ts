/** What a monitor shows at once: rows and facets of one moment. */
import type { Facets, OperationPage } from '../src/authority/monitoring.ts'
import { facetsAsked } from './operation-facets.ts'
import { type ListQuestion, listAsked } from './operation-questions.ts'
import type { ReadSession } from './read-session.ts'

/** Throws QuestionError. */
export function monitoredAsked(
  session: ReadSession,
  { withFacets = false, ...question }: ListQuestion & { readonly withFacets?: boolean | undefined },
): OperationPage & { readonly facets?: Facets } {
  const page = listAsked(session, question)
  return withFacets ? { ...page, facets: facetsAsked(session, question) } : page
}
