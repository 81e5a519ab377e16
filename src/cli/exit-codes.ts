/** What verdict's own exit codes mean; every other one is that of the command it ran. */
export const EXIT_FAULTS = 1
export const EXIT_USAGE = 2
/** verdict itself could not do its work; as env, nohup and timeout have it. */
export const EXIT_OURS = 125
/** The command is there and can't be run. */
export const EXIT_NOT_EXECUTABLE = 126
/** There is no such command. */
export const EXIT_NOT_FOUND = 127
/** Ended by a signal: this and its number. */
export const EXIT_SIGNAL = 128
