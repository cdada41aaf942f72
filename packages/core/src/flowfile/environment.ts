// The variables a flow file gives its tasks: `dotenv:` files, then `env:` over them.

import { dirname, resolve } from "node:path/posix";
import { asList, child, entriesOf, spanOf } from "./document/node.ts";
import { readDotenv } from "./dotenv.ts";
import type { ParamTable } from "./params.ts";
import type { FileReader, ReadFile } from "./read-files.ts";
import type { Loading } from "./tasks/scope.ts";
import { fileLookup } from "./tasks/scope.ts";
import { refuseSecret } from "./tasks/work.ts";
import { fillText } from "./template/template.ts";

export interface FileEnvironment {
  readonly env: Readonly<Record<string, string>>;
  /** What dotenv files say of variables under `secrets:`. */
  readonly secretValues: Readonly<Record<string, string>>;
}

/** Reads the environment of one file; a secret never becomes part of `env`. */
export function readFileEnv(
  source: ReadFile,
  params: ParamTable,
  reader: FileReader,
  loading: Loading,
): FileEnvironment {
  const env: Record<string, string> = {};
  const secretValues: Record<string, string> = {};
  const { report, sources } = loading;
  for (const node of asList(child(source.map, "dotenv"))) {
    if (node.kind !== "scalar") continue;
    const filling = { lookup: fileLookup(params, env, loading), report, sources };
    const path = resolve(dirname(source.file), fillText(node, filling));
    const read = reader.text(path, spanOf(node), "no-dotenv", "dotenv file");
    if (read === undefined) continue;
    for (const [name, value] of readDotenv(read.text, read.index, report)) {
      (loading.secrets.has(name) ? secretValues : env)[name] = value;
    }
  }
  for (const [name, { value }] of entriesOf(child(source.map, "env"))) {
    if (name.startsWith("x-") || value.kind !== "scalar") continue;
    if (refuseSecret(name, value, loading)) continue;
    env[name] = fillText(value, { lookup: fileLookup(params, env, loading), report, sources });
  }
  return { env, secretValues };
}
