// `flow gpu status`: the cards, who is on them, and who waits and why.

import type { Status } from "@flow/backend-gpu/client";
import { formatDuration } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { askBroker, type GpuVerb, outside, readArguments } from "./verb.ts";

export const verb: GpuVerb = async (args, io) => {
  const parsed = readArguments("status", args, { json: { type: "boolean" } }, io);
  if (parsed === undefined) return EXIT.usage;
  const answer = await askBroker(io, { m: "status" }, "status");
  if (!answer.ok)
    return outside(io, `${answer.error}; \`flow gpu doctor\` says what GPUs there are`);
  const { m: _kind, ...status } = answer.value;
  if (parsed.has("json")) io.stdout.write(`${JSON.stringify(status, null, 2)}\n`);
  else
    io.stdout.write(
      statusLines(status)
        .map((line) => `${line}\n`)
        .join(""),
    );
  return EXIT.ok;
};

const WIDTH = 24;

/** The picture of the cards: a bar of what is in use (`█`), kept (`▒`) and foreign (`x`). */
export function statusLines(status: Status): readonly string[] {
  const lines: string[] = [];
  for (const card of status.cards) {
    const used = card.usedBytes ?? 0;
    const own = Math.max(0, used - card.foreignBytes);
    const kept = Math.max(0, card.heldBytes - own);
    const bar = fill(
      [
        [card.foreignBytes, "x"],
        [own, "█"],
        [kept, "▒"],
      ],
      card.capacityBytes,
    );
    const load = card.load === null ? "  ? " : `${Math.round(card.load * 100)}%`.padStart(4);
    const who =
      card.foreignWho === null
        ? ""
        : `  ${gib(card.foreignBytes)} held by ${card.foreignWho}, not ours`;
    const closed = card.closed === null ? "" : `  ${card.closed}`;
    lines.push(
      `GPU ${card.index} ${bar} ${gib(used)} of ${gib(card.capacityBytes)} ${load} busy  ${card.model}${who}${closed}`,
    );
    for (const lease of status.leases.filter(({ cards }) => cards.includes(card.index)))
      lines.push(
        `  ${lease.state.padEnd(8)} ${gib(lease.observedBytes)} of ${gib(lease.reservedBytes)} kept  ${formatDuration(lease.forMs)}  ${sanitizeLine(lease.label)} (${lease.user})`,
      );
  }
  for (const { position, label, user, forMs, why } of status.queue)
    lines.push(
      `${String(position).padStart(3)}. ${sanitizeLine(label)} (${user}) waits ${formatDuration(forMs)}: ${sanitizeLine(why)}`,
    );
  return lines;
}

function fill(parts: readonly (readonly [number, string])[], whole: number): string {
  let bar = "";
  for (const [bytes, sign] of parts)
    bar += sign.repeat(Math.min(WIDTH - bar.length, Math.round((bytes / whole) * WIDTH)));
  return `[${bar.padEnd(WIDTH, "·")}]`;
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
