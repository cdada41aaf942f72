/** `diagnostics.md`: one anchor per code, with a message out of the tests of bad input. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { GENERATED, page } from "./markdown.mjs";
import { root } from "./sources.mjs";

const cases = join(root, "packages/core/test/flowfile/bad-input");

/** What the tests expect to be said, the shortest first. */
const messages = readdirSync(cases)
  .sort()
  .flatMap((name) => readFileSync(join(cases, name), "utf8").split(/^### /m))
  .flatMap((test) => test.split(/^--- says\n/m)[1]?.trimEnd() ?? [])
  .filter((says) => !/[^\x20-\x7e\n→…−“”’]/.test(says))
  .sort((a, b) => a.length - b.length);

export function diagnosticsPage({ diagnosticTitles }) {
  const codes = Object.entries(diagnosticTitles).sort(([a], [b]) => (a < b ? -1 : 1));
  return page(
    "# Diagnostics",
    GENERATED,
    "What `flow check`, and every other command that reads a flow file, can say about it. Each message names the place, what was found, what was expected and what to do; the code in brackets is the anchor here and stays the same. With any error nothing starts and the exit code is 2.",
    ...codes.flatMap(([name, title]) => {
      const example = messages.find((says) => says.includes(`[${name}]`));
      return [
        `## ${name}`,
        `${title}.`,
        example === undefined ? "" : `\`\`\`\`text\n${example}\n\`\`\`\``,
      ];
    }),
  );
}
