// `flow gpu VERB`: sharing this machine's GPUs, also with programs that flow does not start.

import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { GpuVerb } from "../gpu/verb.ts";
import type { Command } from "../invocation.ts";

const VERBS: Readonly<Record<string, () => Promise<{ readonly verb: GpuVerb }>>> = {
  doctor: () => import("../gpu/doctor.ts"),
  drain: () => import("../gpu/drain.ts"),
  profile: () => import("../gpu/profile.ts"),
  run: () => import("../gpu/run.ts"),
  start: () => import("../gpu/start.ts"),
  status: () => import("../gpu/status.ts"),
  stop: () => import("../gpu/stop.ts"),
  top: () => import("../gpu/top.ts"),
  undrain: () => import("../gpu/undrain.ts"),
};

export const command: Command = async (invocation, io): Promise<ExitCode> => {
  const [name = "status", ...args] = invocation.positionals;
  const load = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (load === undefined) {
    const known = Object.keys(VERBS).join(", ");
    io.stderr.write(`flow: \`flow gpu\` has no verb \`${name}\`; it has ${known}\n`);
    return EXIT.usage;
  }
  // A command to be run has its own `--help`, behind `--`.
  const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  if (own.includes("--help") || own.includes("-h")) {
    const { command: help } = await import("./help.ts");
    return help({ ...invocation, positionals: ["gpu"] }, io);
  }
  const { verb } = await load();
  return verb(args, io);
};
