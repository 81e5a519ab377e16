/**
 * The same operations and waits with the programs that people would otherwise take, side by side on one machine: each peer in turn in
 * each repetition, in a process and on a server of its own that start empty and are gone afterwards, and nothing beside it.
 */
import { loadavg } from 'node:os'
import { type BenchReport, machineFacts } from '../report.ts'
import { PEERS, type PeerEntry } from './catalogue.ts'
import { FAIRNESS } from './fairness.ts'
import { type PeerFacts, PeerProcess } from './peer-process.ts'
import { IN_FLIGHT_OF_AIMS, type MeasuredCase, type PeerCase, type PeerRow, rowsOf } from './peer-rows.ts'
import { missingProgram } from './programs.ts'

export const IN_FLIGHT = [1, 32, 128]
/** As fast as it goes, and work that takes its time, so that nobody is at the end of what he can do. */
export const WORK_MS = [0, 20]
const REPETITIONS = 5
const SECONDS = 3
/** More than what the bench itself leaves from a moment before. */
const QUIET_LOAD_MAX = 1
/** Of the seconds of a case of W1. */
const WAITS_PART = 0.5

export interface PeersOptions {
  /** Of each case of W1. */
  readonly seconds?: number | undefined
  readonly repetitions?: number
  readonly inFlight?: readonly number[]
  /** Tells what it is at. */
  readonly tell?: (line: string) => void
}

export interface PeersReport extends BenchReport {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly seconds: number
  readonly repetitions: number
  /** Programs that wanted to run before it began, the load average of a minute: what disturbs it. */
  readonly loadBefore: number
  readonly rows: readonly PeerRow[]
  /** In the order of the table. */
  readonly facts: readonly ({ readonly label: string } & PeerFacts)[]
  /** Rows that are not there, and why. */
  readonly missing: readonly string[]
}

export async function peers({
  seconds = SECONDS,
  repetitions = REPETITIONS,
  inFlight = IN_FLIGHT,
  tell = () => {},
}: PeersOptions = {}): Promise<PeersReport> {
  const [loadBefore = 0] = loadavg()
  const absent = PEERS.flatMap((peer) => {
    const why = peer.needs === undefined ? undefined : missingProgram(peer.needs)
    return why === undefined ? [] : [{ peer, line: `${peer.label}: not measured, ${why}` }]
  })
  const present = PEERS.filter((peer) => absent.every((one) => one.peer !== peer))
  for (const { line } of absent) tell(line)
  const cases = present.flatMap((peer) => casesOf(peer, seconds, inFlight)).map(unmeasured)
  const facts = new Map<PeerEntry, PeerFacts>()
  for (let repetition = 0; repetition < repetitions; repetition++) {
    // Whoever is first is another one each time.
    for (let i = 0; i < present.length; i++) {
      const peer = present[(i + repetition) % present.length] as PeerEntry
      tell(`repetition ${repetition + 1} of ${repetitions}: ${peer.label}`)
      await PeerProcess.whileUp(peer.name, async (process, told) => {
        facts.set(peer, told)
        for (const one of cases.filter((one) => one.peer === peer)) one.figures.push(await process.ask(one))
      })
    }
  }
  const missing = absent.map(({ line }) => line)
  const told = present.map((peer) => ({ label: peer.label, ...(facts.get(peer) as PeerFacts) }))
  return {
    name: 'peers',
    at: new Date().toISOString(),
    seconds,
    repetitions,
    loadBefore,
    machine: machineFacts(),
    rows: rowsOf(cases),
    facts: told,
    missing,
    notes: [loadLine(loadBefore), ...missing, ...told.map(factsLine), ...FAIRNESS],
  }
}

/** How quiet the machine was, in words. */
export function loadLine(load: number): string {
  const told = `Load of other programs when it began: ${load.toFixed(1)}`
  return load < QUIET_LOAD_MAX ? `${told}.` : `${told}; the machine was not quiet, and the figures are not worth much.`
}

/** Versions and settings in one line. */
export function factsLine({ label, versions, settings }: PeersReport['facts'][number]): string {
  const told = (pairs: Readonly<Record<string, string>>) =>
    Object.entries(pairs)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
  return `${label}: ${told(versions)}; ${told(settings)}`
}

function casesOf(peer: PeerEntry, seconds: number, inFlight: readonly number[]): readonly PeerCase[] {
  const w1 = inFlight.map((inFlight) => ({ measure: 'w1', peer, inFlight, seconds }) as const)
  const waitSeconds = seconds * WAITS_PART
  const waits = WORK_MS.map(
    (workMs) => ({ measure: 'waits', peer, workMs, inFlight: IN_FLIGHT_OF_AIMS, seconds: waitSeconds }) as const,
  )
  return [...w1, ...waits].filter(({ measure }) => peer.only === undefined || peer.only === measure)
}

function unmeasured(one: PeerCase): MeasuredCase {
  return { ...one, figures: [] }
}
