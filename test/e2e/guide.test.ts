/**
 * The pages of the guide and the README are true: their files are written (the block's language is followed by a
 * name), their commands run in order, and what they print is what the page shows. Times, digests and
 * ids may differ; a line with only `…` stands for any lines.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect } from "vitest";
import { flowTest } from "../rig/flow-test.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = `${root}/packages/cli/dist/main.js`;

const PAGES = [
  "../../README",
  "asking-your-runs",
  "ci",
  "cleaning",
  "flow-files",
  "freshness",
  "getting-started",
  "library",
  "logs-and-history",
  "parameters",
  "running",
  "sweeps",
];

const BLOCK = /^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm;

/** Programs that use the libraries need what TypeScript emits; the command line is a bundle. */
beforeAll(() => {
  const compiler = fileURLToPath(import.meta.resolve("typescript/package.json"));
  execFileSync(process.execPath, [`${compiler}/../bin/tsc`, "-b", "packages/backend-local"], {
    cwd: root,
  });
});

flowTest.for(PAGES)("the page %s says what flow does", (page, { project }) => {
  const text = readFileSync(`${root}/docs/guide/${page}.md`, "utf8");
  project.write("../bin/flow", `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`, 0o755);
  mkdirSync(project.path("node_modules"));
  symlinkSync(`${root}/node_modules/@flow`, project.path("node_modules/@flow"));
  const env = {
    ...project.env,
    LC_ALL: "C.UTF-8",
    PATH: [project.path("../bin"), project.env["PATH"]].join(delimiter),
  };
  for (const [, language, name, body = ""] of text.matchAll(BLOCK)) {
    if (name !== undefined) project.write(name, body);
    else if (language === "console") {
      for (const { command, shown } of commandsOf(body)) {
        const { stdout, stderr } = spawnSync("sh", ["-c", command], {
          cwd: project.root,
          env,
          encoding: "utf8",
        });
        const lines = same(`${stderr}${stdout}`);
        expect(covered(same(shown), lines), `$ ${command}`).toEqual(lines);
      }
    }
  }
});

const commandsOf = (body: string): readonly { command: string; shown: string }[] =>
  body
    .split(/^\$ /m)
    .filter((part) => part !== "")
    .map((part) => {
      const end = part.indexOf("\n");
      return { command: part.slice(0, end), shown: part.slice(end + 1) };
    });

/** Lines without what differs from run to run. */
const same = (text: string): readonly string[] =>
  text
    .trimEnd()
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("longest chain"))
    .map((line) =>
      line
        .replaceAll(/\d{8}-\d{6}-[a-z0-9]{5}/g, "<run>")
        .replaceAll(/\d\d:\d\d:\d\d/g, "<time>")
        .replaceAll(/[\d.]+\s?(ms|s)\b/g, "")
        .replaceAll(/; (about|to)?\s*(to\s*)?$/g, "; <estimate>")
        .replaceAll(/\b([0-9a-f]{2}\/)?[0-9a-f]{8,16}\b/g, "<digest>")
        .replaceAll(/just now| ago\b/g, "<age>")
        .replaceAll(/ +/g, " "),
    );

/** What is shown, with each `…` replaced by the lines it stands for; as it is where they differ. */
function covered(shown: readonly string[], lines: readonly string[]): readonly string[] {
  const gap = shown.indexOf("…");
  if (gap < 0) return shown;
  const after = shown.slice(gap + 1);
  const rest = lines.length - after.length;
  return rest < gap ? shown : [...shown.slice(0, gap), ...lines.slice(gap, rest), ...after];
}
