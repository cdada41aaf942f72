// `flow gpu stop`: ends the broker. Jobs go on; the next broker finds their leases again.

import { type GpuVerb, order } from "./verb.ts";

export const verb: GpuVerb = (_args, io) => order(io, { m: "stop" });
