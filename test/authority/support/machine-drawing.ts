import {
  MACHINE_FACTS,
  OPERATION_LABELS,
  operationMachine,
  stepOfMachine,
} from '../../../src/authority/operation-machine.ts'
import { isActive, isTerminal, STATUSES, type Status } from '../../../src/authority/status.ts'

/** docs/machine.md, drawn from the machine itself: nothing in it is written by hand but the words around it. */
export function machinePage(): string {
  return `# The life of an operation

Drawn from \`operationMachine\` (src/authority/operation-machine.ts), which is the only table of legal moves; a test holds
this page true, and \`UPDATE_DOCS=1 npx vitest run test/authority/operation-machine.test.ts\` draws it anew. Labels are events;
behind a label stands in brackets what must hold for it.

\`\`\`mermaid
stateDiagram-v2
${drawing().join('\n')}
\`\`\`

Moves that leave an operation where it is:

| event | ${STATUSES.filter(isActive).join(' | ')} | terminal |
|---|---|---|---|---|
${stays().join('\n')}
`
}

/** One line for each pair of statuses, with all events that lead from one to the other. */
function drawing(): readonly string[] {
  const lines = ['  [*] --> provisioning: OperationRegistered']
  const terminal = STATUSES.filter(isTerminal)
  for (const from of STATUSES.filter(isActive)) {
    for (const to of STATUSES) {
      const labels = OPERATION_LABELS.filter((label) => from !== to && targetsOf(from, label).has(to))
      const told = labels.map((label) => `${label}${condition(from, label)}`)
      if (told.length > 0) lines.push(`  ${from} --> ${to === 'absent' ? '[*]' : to}: ${told.join(', ')}`)
    }
  }
  return [...lines, ...terminal.map((status) => `  ${status} --> [*]`)]
}

function stays(): readonly string[] {
  const rows = OPERATION_LABELS.map((label) => {
    const cells = STATUSES.filter(isActive).map((status) =>
      targetsOf(status, label).has(status) ? `yes${condition(status, label)}` : '',
    )
    const inTerminal = STATUSES.filter(isTerminal).every((status) => targetsOf(status, label).has(status)) ? 'yes' : ''
    return { label, cells: [...cells, inTerminal] }
  })
  return rows
    .filter(({ cells }) => cells.some((cell) => cell !== ''))
    .map(({ label, cells }) => `| ${label} | ${cells.join(' | ')} |`)
}

function targetsOf(from: Status, label: (typeof OPERATION_LABELS)[number]): ReadonlySet<Status> {
  return new Set(MACHINE_FACTS.map((facts) => stepOfMachine(from, facts, label)).filter((to) => to !== undefined))
}

/** The name of the guard, as the machine has it. */
function condition(from: Status, label: string): string {
  // The machine has a state for each status; its transitions are an object by label.
  const state = operationMachine.config.states?.[from] as { on?: Readonly<Record<string, unknown>> } | undefined
  const transition = state?.on?.[label]
  const isGuarded = typeof transition === 'object' && transition !== null && 'guard' in transition
  return isGuarded ? ` (${String(transition.guard)})` : ''
}
