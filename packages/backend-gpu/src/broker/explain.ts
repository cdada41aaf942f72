// Why somebody waits, in a sentence a person can act on.

import { GIB, gib, type Obstacle, type Wait } from "../policy/model.ts";

/** One line; cards with the same obstacle are named together. */
export function explain({ obstacles, sibling, position }: Wait): string {
  if (sibling !== undefined) return `waits for \`${sibling}\`, the first of its kind`;
  if (obstacles.length === 0) return `has ${position - 1} before it`;
  const byText = new Map<string, string[]>();
  for (const { card, obstacle } of obstacles) {
    const text = describe(obstacle);
    byText.set(text, [...(byText.get(text) ?? []), card]);
  }
  return [...byText].map(([text, cards]) => `${names(cards)}: ${text}`).join("; ");
}

/** `GPU 0, 2 and 3`. */
function names(cards: readonly string[]): string {
  const numbers = cards.map((card) => card.replace(/^GPU /, ""));
  const last = numbers.pop();
  return numbers.length === 0 ? `GPU ${last}` : `GPU ${numbers.join(", ")} and ${last}`;
}

function describe(obstacle: Obstacle): string {
  switch (obstacle.type) {
    case "closed":
      return obstacle.why;
    case "unsuitable":
      return "not one of those asked for";
    case "single":
      return "in use, and its mode (EXCLUSIVE_PROCESS) allows one process at a time";
    case "taken":
      return "in use, and one of the two wants it alone";
    case "kept":
      return `kept for \`${obstacle.by}\`, which has waited longer`;
    case "protected":
      return `\`${obstacle.label}\` has run for long; nothing of unknown size is put beside it`;
    case "cold":
      return `waits to see what ${obstacle.labels.map((label) => `\`${label}\``).join(" and ")} needs`;
    case "load":
      return `is ${percent(obstacle.load)} loaded, ${percent(obstacle.needs)} more would slow everyone down`;
    case "memory":
      return memory(obstacle);
    default:
      return obstacle satisfies never;
  }
}

/** Less is written as 0.0 GiB. */
const WORTH_BYTES: number = GIB / 20;

function memory({
  needsBytes,
  freeBytes,
  foreignBytes,
  foreignWho,
}: Obstacle & { type: "memory" }): string {
  const foreign =
    foreignBytes >= WORTH_BYTES
      ? `; ${gib(foreignBytes)} held by ${foreignWho ?? "processes"}, not ours`
      : "";
  return `needs ${gib(needsBytes)}, ${gib(freeBytes)} free${foreign}`;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;
