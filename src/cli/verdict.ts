/** The command line: which command is meant, and what goes wrong before one is. Data on stdout, words on stderr. */
import { shownLocation } from '../app/log-of-node.ts'
import { config } from './config.ts'
import { events } from './events.ts'
import { EXIT_USAGE } from './exit-codes.ts'
import { keys } from './keys.ts'
import { operations } from './operations.ts'
import { projections } from './projections.ts'
import { reconcile } from './reconcile.ts'
import { run } from './run.ts'
import { serve } from './serve.ts'
import { UsageError } from './usage-error.ts'
import { verify } from './verify.ts'
import { webhooks } from './webhooks.ts'

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

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  serve,
  keys,
  run,
  operations,
  events,
  verify,
  reconcile,
  projections,
  webhooks,
  config,
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
