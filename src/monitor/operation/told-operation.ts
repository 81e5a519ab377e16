/** What the server tells of one operation, as it comes over the wire, and where it is asked for. */
import type { ListedOperation, OperationStory } from '../../authority/monitoring.ts'
import type { OfferedAction, OperationOutlook } from '../../authority/outlook.ts'
import type { OperationSnapshot } from '../../authority/questions.ts'
import type { WireHistory } from '../../wire/operation-wire.ts'
import type { OnWire } from '../api.ts'

/** Of which life of which id; without a number, of the newest. */
export interface OperationPlace {
  readonly workspace: string
  readonly owner: string
  readonly id: string
  readonly number?: number
}

/** As its registry holds it; or, once that let it go, as lists show it: without payloads. */
export type ToldOperation = OperationSnapshot | ListedOperation

export type StoryEntry = WireHistory['events'][number]

/** The pages of a story that were read, as one. */
export type ToldStory = Omit<OnWire<OperationStory>, 'entries'> & { readonly entries: readonly StoryEntry[] }

/** With what the server knows of whoever asks. */
export interface ToldAction extends OfferedAction {
  readonly isEntitled: boolean
  readonly roles: readonly string[]
}

export interface ToldOutlook extends OperationOutlook {
  readonly actions: readonly ToldAction[]
}

export function ownerPath({ workspace, owner }: Pick<OperationPlace, 'workspace' | 'owner'>): string {
  return `/v1/workspaces/${encodeURIComponent(workspace)}/owners/${encodeURIComponent(owner)}`
}

export function operationPath(place: OperationPlace): string {
  return `${ownerPath(place)}/operations/${encodeURIComponent(place.id)}`
}
