/** Stored names: the statuses of an operation (lifecycle.md, section 3). `absent` is the status of what is not there. */
export const ACTIVE_STATUSES = ['provisioning', 'running', 'retiring'] as const
export const TERMINAL_STATUSES = ['completed', 'failed', 'aborted', 'cancelled', 'retired', 'terminated'] as const
/** Of an operation that is there. */
export const PRESENT_STATUSES = [...ACTIVE_STATUSES, ...TERMINAL_STATUSES] as const
export const STATUSES = ['absent', ...PRESENT_STATUSES] as const

export type ActiveStatus = (typeof ACTIVE_STATUSES)[number]
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number]
export type Status = (typeof STATUSES)[number]
/** A status of an operation that is there. */
export type PresentStatus = ActiveStatus | TerminalStatus

/** What people meet first: four words for nine statuses. */
export const RESULT_CLASSES = ['running', 'completed', 'failed', 'cancelled'] as const
export type ResultClass = (typeof RESULT_CLASSES)[number]

export function isTerminal(status: Status): status is TerminalStatus {
  return status !== 'absent' && !isActive(status)
}

export function isActive(status: Status): status is ActiveStatus {
  return status === 'provisioning' || status === 'running' || status === 'retiring'
}

export function resultClassOf(status: PresentStatus): ResultClass {
  switch (status) {
    case 'provisioning':
    case 'running':
    case 'retiring':
      return 'running'
    case 'completed':
      return 'completed'
    case 'failed':
    case 'terminated':
      return 'failed'
    case 'aborted':
    case 'cancelled':
    case 'retired':
      return 'cancelled'
    default:
      return status satisfies never
  }
}

/** The statuses that people are shown as this class. */
export function statusesOf(resultClass: ResultClass): readonly PresentStatus[] {
  return PRESENT_STATUSES.filter((status) => resultClassOf(status) === resultClass)
}
