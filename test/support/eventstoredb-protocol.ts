/**
 * The messages and services that the client's package defines. Required, not imported: the test runner would load a second
 * copy of the modules that an import names, and a message of one copy is not a message to the other.
 */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const generated = (name: string) => require(`@eventstore/db-client/generated/${name}.js`)

export const gossip: typeof import('@eventstore/db-client/generated/gossip_pb.js') = generated('gossip_pb')
export const features: typeof import('@eventstore/db-client/generated/serverfeatures_pb.js') =
  generated('serverfeatures_pb')
export const shared: typeof import('@eventstore/db-client/generated/shared_pb.js') = generated('shared_pb')
export const streams: typeof import('@eventstore/db-client/generated/streams_pb.js') = generated('streams_pb')

export const { Status }: typeof import('@eventstore/db-client/generated/status_pb.js') = generated('status_pb')

export const { GossipService }: typeof import('@eventstore/db-client/generated/gossip_grpc_pb.js') =
  generated('gossip_grpc_pb')
export const { ServerFeaturesService }: typeof import('@eventstore/db-client/generated/serverfeatures_grpc_pb.js') =
  generated('serverfeatures_grpc_pb')
export const { StreamsService }: typeof import('@eventstore/db-client/generated/streams_grpc_pb.js') =
  generated('streams_grpc_pb')

export type { ClusterInfo, MemberInfo } from '@eventstore/db-client/generated/gossip_pb.js'
export type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js'
export type { Empty, StreamIdentifier } from '@eventstore/db-client/generated/shared_pb.js'
export type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
  ReadReq,
  ReadResp,
} from '@eventstore/db-client/generated/streams_pb.js'
