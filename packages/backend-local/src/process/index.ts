// Running programs on this machine, for every backend that does: the attempts themselves, and what
// they are made of.

export { Attempts, type AttemptsOptions } from "./attempts.ts";
export { type Capacity, capacity } from "./capacity.ts";
export type { StartExtra } from "./job.ts";
export type { Descriptors } from "./launch.ts";
export { isAlive, type ProcessIdentity, type ProcessTable, systemTable } from "./table.ts";
