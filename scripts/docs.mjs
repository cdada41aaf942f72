/**
 * Writes `docs/reference/` from the sources that flow itself uses: the schema of flow files and of
 * events, the command table, the exit codes, the codes of diagnostics and the script contract.
 * `--check` writes nothing and fails when a page on disk is another. Meanings that no source tells
 * stand in `scripts/docs/*.mjs`; a name without one is an error.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cliPage, exitCodesPage } from "./docs/command-pages.mjs";
import { scriptContractPage } from "./docs/contract-page.mjs";
import { diagnosticsPage } from "./docs/diagnostics-page.mjs";
import { eventsPage } from "./docs/events-page.mjs";
import { flowFilePage } from "./docs/flow-file-page.mjs";
import { loadSources, root } from "./docs/sources.mjs";

const sources = await loadSources();
const pages = {
  "cli.md": cliPage(sources),
  "diagnostics.md": diagnosticsPage(sources),
  "events.md": eventsPage(sources),
  "exit-codes.md": exitCodesPage(sources),
  "flow-file.md": flowFilePage(sources),
  "script-contract.md": scriptContractPage(sources),
};

const folder = join(root, "docs/reference");
await mkdir(folder, { recursive: true });
const stale = [];
for (const [name, text] of Object.entries(pages)) {
  const path = join(folder, name);
  const present = await readFile(path, "utf8").catch(() => "");
  if (present === text) continue;
  stale.push(name);
  if (!process.argv.includes("--check")) await writeFile(path, text);
}
if (process.argv.includes("--check") && stale.length > 0) {
  process.stderr.write(`docs/reference is stale (${stale.join(", ")}): npm run docs\n`);
  process.exitCode = 1;
} else if (stale.length > 0) {
  process.stdout.write(`wrote ${stale.map((name) => `docs/reference/${name}`).join(", ")}\n`);
}
