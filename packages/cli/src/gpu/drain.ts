// `flow gpu drain GPU`: puts nothing new on a GPU.

import { EXIT } from "../exit-codes.ts";
import { type GpuVerb, order } from "./verb.ts";

export const verb: GpuVerb = async ([gpu], io) => {
  if (gpu !== undefined) return order(io, { m: "drain", gpu, on: true });
  io.stderr.write("flow: say which GPU, by index or UUID: `flow gpu drain 0`\n");
  return EXIT.usage;
};
