// `flow tag RECORD NAME[=VALUE]…`: what a person has to say of a record.

import { ATTEMPT_FILES, nodeFileSystem, type RunRecord, readTags } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { tagsText } from "../record/columns.ts";
import { chosenOrNamed, openRecords } from "../record/records.ts";
import { sanitizeLine } from "../report/sanitize.ts";

export const command: Command = async (invocation, io) => {
  const opened = await openRecords(invocation, io);
  if (!opened.ok) return opened.error;
  const [target = "", ...words] = invocation.positionals;
  const bad = words.find((word) => !/^[^=\s][^=]*(?:=|$)/.test(word));
  if (bad !== undefined) {
    io.stderr.write(`flow: a tag is NAME or NAME=VALUE, not \`${sanitizeLine(bad)}\`\n`);
    return EXIT.usage;
  }
  const records = chosenOrNamed(target, opened.value, io);
  if (!records.ok) return records.error;
  for (const record of records.value) {
    const tags = changed(record, words, invocation.has("remove"));
    io.stdout.write(`${sanitizeLine(record.task)}  ${sanitizeLine(tagsText(tags))}\n`);
  }
  return EXIT.ok;
};

/** Writes the tags as they are afterwards; the program's own stay. */
function changed(
  { directory, tags: all }: RunRecord,
  words: readonly string[],
  isRemoval: boolean,
): Readonly<Record<string, string>> {
  const tags: Record<string, string> = { ...readTags(directory, nodeFileSystem) };
  const shown = { ...all };
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = equals === -1 ? word : word.slice(0, equals);
    if (isRemoval) {
      delete tags[name];
      delete shown[name];
    } else {
      tags[name] = equals === -1 ? "" : word.slice(equals + 1);
      shown[name] = tags[name];
    }
  }
  const path = `${directory}/${ATTEMPT_FILES.tags}`;
  if (Object.keys(tags).length === 0) nodeFileSystem.remove(path);
  else nodeFileSystem.replace(path, `${JSON.stringify(tags)}\n`);
  return shown;
}
