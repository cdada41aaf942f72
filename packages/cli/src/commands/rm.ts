// `flow rm RECORD…`: removes records with their logs, and captured code that only they named. What
// the tasks made stays, and so does what is known of it.

import {
  attemptKey,
  attemptSerials,
  collectCode,
  currentClaims,
  formatBytes,
  type Layout,
  listFiles,
  nodeFileSystem,
  type RunRecord,
} from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { openForChange } from "../record/change.ts";
import { chosenOrNamed, openRecords } from "../record/records.ts";
import { sanitizeLine } from "../report/sanitize.ts";

export const command: Command = async (invocation, io) => {
  const opened = await openRecords(invocation, io);
  if (!opened.ok) return opened.error;
  const { layout } = opened.value;
  const chosen = new Set<RunRecord>();
  for (const name of invocation.positionals) {
    const records = chosenOrNamed(name, opened.value, io);
    if (!records.ok) return records.error;
    for (const record of records.value) chosen.add(record);
  }
  const claims = currentClaims(layout.root);
  const records = [...chosen].filter(({ key }) => claims.holder(key) === undefined);
  for (const { task } of [...chosen].filter(({ key }) => claims.holder(key) !== undefined)) {
    io.stderr.write(`left alone ${sanitizeLine(task)}: it may still be running\n`);
  }
  const bytes = records.reduce((sum, record) => sum + sizeOf(record, layout), 0);
  const what = `${records.length === 1 ? "1 record" : `${records.length} records`} (${formatBytes(bytes)})`;
  if (invocation.has("dry-run")) {
    for (const { task, serial } of records) {
      io.stdout.write(`${sanitizeLine(task)}#${serial}\n`);
    }
    io.stderr.write(`would remove ${what}\n`);
    return EXIT.ok;
  }
  if (records.length > 0 && !invocation.has("yes")) {
    const answer = await io.ask(`Remove ${what}? [y/N] `);
    if (answer === undefined) {
      io.stderr.write(`flow: this would remove ${what}; say -y to do it.\n`);
      return EXIT.usage;
    }
    if (!/^y(es)?$/i.test(answer.trim())) return EXIT.ok;
  }
  const state = openForChange(layout.root, io);
  if (!state.ok) return state.error;
  for (const record of records) removeRecord(record, layout);
  const code = collectCode(layout, nodeFileSystem);
  const alsoCode = code.objects === 0 ? "" : ` and ${formatBytes(code.bytes)} of code`;
  io.stderr.write(`removed ${what}${alsoCode}; what the tasks made stays\n`);
  return EXIT.ok;
};

const directoriesOf = ({ key, serials }: RunRecord, layout: Layout): readonly string[] =>
  serials.map((serial) => layout.attempt(attemptKey(key, serial)));

function sizeOf(record: RunRecord, layout: Layout): number {
  const files = directoriesOf(record, layout).flatMap((directory) =>
    listFiles(directory, nodeFileSystem).map(({ path }) => `${directory}/${path}`),
  );
  return files.reduce((sum, path) => sum + (nodeFileSystem.lstat(path)?.size ?? 0), 0);
}

/** The number of the latest attempt stays, as an empty folder: numbers never repeat. */
function removeRecord(record: RunRecord, layout: Layout): void {
  const latest = attemptSerials(layout, record.key, nodeFileSystem).at(-1);
  for (const directory of directoriesOf(record, layout)) nodeFileSystem.removeTree(directory);
  if (latest !== undefined && record.serials.includes(latest)) {
    nodeFileSystem.makeDirectory(layout.attempt(attemptKey(record.key, latest)));
  }
}
