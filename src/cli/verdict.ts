/** The command line: which command is meant, and what goes wrong before one is. Data on stdout, words on stderr. */
import { shownLocation } from '../app/shown-location.ts'
import { EXIT_USAGE } from './exit-codes.ts'
import { UsageError } from './usage-error.ts'

const HELP = `  verdict serve                                  the server, for services and workers in any language
  verdict run -- make all                        run a command as an operation
  verdict run --name nightly -- ./backup.sh      with a name
  verdict operations watch ID                    how one gets on, until it has ended
  verdict events tail                            what happens, a line for each event
  verdict verify --data .verdict                 fold the whole log again, check its chain
  verdict reconcile --dry-run                    who is silent for too long
  verdict projections list                       how far the read models are

Usage: verdict <command> [options]

Commands:
  serve        serve the API over HTTP; "verdict serve --help" tells how
  keys         make, list and revoke the keys of its callers; "verdict keys --help" tells how
  run          run a command line as an operation; "verdict run --help" tells how
  operations   list, watch and steer operations; "verdict operations --help" tells how
  events       tail what happens; "verdict events --help" tells how
  verify       read the whole log again and check it; "verdict verify --help" tells how
  reconcile    end, or retry, what did not speak for itself; "verdict reconcile --help" tells how
  projections  list, rebuild and check read models; "verdict projections --help" tells how
  webhooks     endpoints, deliveries, replays; "verdict webhooks --help" tells how
  config check
               tell the effective policies of a configuration, or what contradicts itself in it

Exit codes: of the command that ran; 1 for a log with faults; 2 for a command line that can't be understood;
125 when verdict itself could not do its work.
`

/** Each is loaded when it is meant: who asks a server for a list need not load one. */
const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  serve: async (args) => (await import('./serve.ts')).serve(args),
  keys: async (args) => (await import('./keys.ts')).keys(args),
  run: async (args) => (await import('./run.ts')).run(args),
  operations: async (args) => (await import('./operations.ts')).operations(args),
  events: async (args) => (await import('./events.ts')).events(args),
  verify: async (args) => (await import('./verify.ts')).verify(args),
  reconcile: async (args) => (await import('./reconcile.ts')).reconcile(args),
  projections: async (args) => (await import('./projections.ts')).projections(args),
  webhooks: async (args) => (await import('./webhooks.ts')).webhooks(args),
  config: async (args) => (await import('./config.ts')).config(args),
}

/** Runs a command line, without the program's name; the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const [name = '--help', ...args] = argv
  if (name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(HELP)
    return 0
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  try {
    if (command === undefined) throw new UsageError(`there is no command "${shownLocation(name)}"`)
    return await command(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`verdict: ${error.message}; see "verdict --help"\n`)
    return EXIT_USAGE
  }
}
