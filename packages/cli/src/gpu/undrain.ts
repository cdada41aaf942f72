// `flow gpu undrain GPU`: takes a GPU back into service.

import { EXIT } from "../exit-codes.ts";
import { type GpuVerb, order } from "./verb.ts";

export const verb: GpuVerb = async ([gpu], io) => {
  if (gpu !== undefined) return order(io, { m: "drain", gpu, on: false });
  io.stderr.write("flow: say which GPU, by index or UUID: `flow gpu undrain 0`\n");
  return EXIT.usage;
};
