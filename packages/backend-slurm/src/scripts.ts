// The node-side scripts, put where the nodes see them. The folder is named by its content, so jobs
// that are queued keep the scripts they were submitted with when flow is upgraded.

import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import { flowRunnerPath, flowTaskPath } from "@flow/task-py";

const SOURCES: Readonly<Record<string, string>> = {
  "member.sh": fileURLToPath(new URL("../node/member.sh", import.meta.url)),
  "incarnation.sh": fileURLToPath(new URL("../node/incarnation.sh", import.meta.url)),
  "machine.sh": fileURLToPath(new URL("../node/machine.sh", import.meta.url)),
  "pilot.sh": fileURLToPath(new URL("../node/pilot.sh", import.meta.url)),
  "cause.sh": fileURLToPath(new URL("../node/cause.sh", import.meta.url)),
  "requeue.sh": fileURLToPath(new URL("../node/requeue.sh", import.meta.url)),
  "flow-runner.sh": flowRunnerPath,
  "python/flow_task.py": flowTaskPath,
};

/** Makes sure that the scripts lie under `folder`; returns the folder they are in. */
export function putScripts(folder: string, schedulerScript: string): string {
  const sources = Object.entries({ ...SOURCES, "scheduler.sh": schedulerScript });
  const texts = sources.map(([name, path]) => [name, readFileSync(path)] as const);
  const hash = createHash("sha256");
  for (const [name, text] of texts) hash.update(`${name} ${text.length}\n`).update(text);
  const place = `${folder}/scripts-${hash.digest("hex").slice(0, 12)}`;
  if (existsSync(place)) return place;
  const draft = `${place}.${process.pid}`;
  mkdirSync(`${draft}/python`, { recursive: true });
  for (const [name, text] of texts) writeFileSync(`${draft}/${name}`, text);
  try {
    renameSync(draft, place);
  } catch {
    // Another flow was faster; the content is the same.
    cpSync(draft, place, { recursive: true });
    rmSync(draft, { recursive: true });
  }
  return place;
}
