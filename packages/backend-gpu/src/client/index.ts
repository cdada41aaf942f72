// What a command line needs of GPU sharing: the broker itself, and a client of it.

export type {
  AcquireMessage,
  BrokerMessage,
  ProfileLine,
  Status,
  VerdictMessage,
} from "../broker/messages.ts";
export { rowOf } from "../broker/profile-file.ts";
export { socketPath, stateDirectory } from "../broker/places.ts";
export { serve, type Serving } from "../broker/serve.ts";
export { findOutOfMemory } from "../policy/out-of-memory.ts";
export { parseGpus } from "../options.ts";
export { openReader } from "../reader/reader.ts";
export { amdNotice } from "../reader/unsupported.ts";
export { connect, type Connection } from "./connection.ts";
export { findBroker, startBroker } from "./find-broker.ts";
export { commandKeys, commandNumbers } from "./keys.ts";
export { acquire, type HeldLease, jobEnvironment, type LeaseRequest, obtain } from "./lease.ts";
