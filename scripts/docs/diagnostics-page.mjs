/** `diagnostics.md`: one anchor per code. */
import { GENERATED, page } from "./markdown.mjs";

export function diagnosticsPage({ diagnosticTitles }) {
  const codes = Object.entries(diagnosticTitles).sort(([a], [b]) => (a < b ? -1 : 1));
  return page(
    "# Diagnostics",
    GENERATED,
    "What `flow check`, and every other command that reads a flow file, can say about it. Each message names the place, what was found, what was expected and what to do; the code in brackets is the anchor here and stays the same. With any error nothing starts and the exit code is 2.",
    ...codes.flatMap(([name, title]) => [`## ${name}`, `${title}.`]),
  );
}
