/** The door for BullMQ, which is an optional peer: whoever comes in here has it installed. */
export type { WitnessQuestion, WitnessReport } from './authority/witness.ts'
export type { AddedJob } from './client/bullmq-add.ts'
export { BullmqBridge, bullmqBridge, type ListenOptions } from './client/bullmq-bridge.ts'
export type { BullmqSettings } from './client/bullmq-guard.ts'
export type { JobFacts } from './client/bullmq-job.ts'
export type { BullmqListener, ScanCounts } from './client/bullmq-listener.ts'
export type { BullmqBridgeOptions, JobDescription, JobPolicy } from './client/bullmq-meaning.ts'
export type { JobAttempt } from './client/bullmq-progress.ts'
