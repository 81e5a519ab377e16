/**
 * Faults that can be planted into what surrounds the product in a simulation: a log that lies, a node that speaks too soon, a
 * transport that sends twice. Each is one that the product is made to prevent, and that the checks have to find.
 */
export const PLANTED_FAULTS = {
  acknowledges_what_it_lost: 'the log acknowledges an append that it did not store',
  appends_anywhere: 'the log stores an append behind whatever stands there, and not behind what was expected',
  forgets_what_it_stored: 'the log stores an append once more that comes again after an unknown answer',
  calls_stored_refused: 'the log refuses an append that it has stored',
  answers_before_it_is_stored: 'a node answers a command before the log has acknowledged it',
  hears_nothing: 'a node answers heartbeats as heard, and has not heard them',
  forgets_outages: 'a node that was not there counts the silence of that time against its workers',
  trusts_a_wrong_clock: 'a node whose clock was set wrong judges by it',
  sends_again_as_new: 'a client that was not answered sends its command again under another id',
  borrows_the_lease: 'a worker without a lease reports with that of another one',
  skips_an_event: 'the read models leave an event out',
  never_sweeps: 'no reconciler runs',
  tells_nobody: 'a node is never told of what other nodes wrote',
} as const

export type PlantedFault = keyof typeof PLANTED_FAULTS
