// What a node says it is (`machine` in the directory of an incarnation): a line `name=value` each.

import { type MachineFacts, parseGpus } from "@flow/core";

/** Undefined when it says nothing. */
export function parseMachine(text: string): MachineFacts | undefined {
  const lines = text.split("\n");
  const values = (name: string): readonly string[] =>
    lines.flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));
  const [system] = values("system");
  if (system === undefined || system === "") return undefined;
  const gpus = parseGpus(values("gpu").join("\n"));
  return {
    system,
    cpu: values("cpu")[0]?.trim() ?? "",
    cpus: Number(values("cpus")[0] ?? 0),
    memoryBytes: Number.parseInt(values("memory")[0]?.trim() ?? "0", 10) * 1024,
    ...(gpus.length === 0 ? {} : { gpus }),
  };
}
