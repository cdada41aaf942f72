/**
 * Suites that need something Node does not bring: a program of the system, or the npm registry. Where
 * it is missing they are skipped with one line that says what to install; with `FLOW_TEST_SYSTEM=1`
 * (continuous integration) a missing component is a failure. Components are listed in
 * `test/system-packages`.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it } from "vitest";

interface Component {
  readonly programs: readonly string[];
  readonly packages: readonly string[];
}

const isRequired = process.env["FLOW_TEST_SYSTEM"] === "1";
const folders = [
  ...(process.env["PATH"] ?? "").split(delimiter),
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
];

/**
 * A `describe` that needs components of `test/system-packages`, or `"registry"` for the npm registry.
 * The body is not run where one is missing.
 */
export function systemSuite(
  needs: string | readonly string[],
  title: string,
  body: () => void,
): void {
  const names = [needs].flat();
  const missing = names.flatMap((name) => absence(name) ?? []);
  if (missing.length === 0) describe(title, body);
  else if (isRequired && names.every((name) => !name.endsWith("?") || absence(name) === undefined))
    describe(title, () => {
      it(`finds what it needs`, () => {
        throw new Error(`FLOW_TEST_SYSTEM=1, but ${missing.join("; ")}`);
      });
    });
  else
    describe.skip(`${title} [${missing.join("; ")}]`, () => {
      it("is skipped", () => undefined);
    });
}

/** Says what is missing and what to do about it; `undefined` if the component is there. */
function absence(name: string): string | undefined {
  if (name === "registry")
    return canReachRegistry() ? undefined : "the npm registry cannot be reached: check the network";
  const component = components().get(name);
  if (component === undefined) throw new Error(`test/system-packages has no component \`${name}\``);
  const missing = component.programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) return undefined;
  return `${missing.join(", ")} not found: apt-get install ${component.packages.join(" ")}`;
}

/** The absolute path of a program on PATH or in the system's `sbin` folders; `undefined` if there is none. */
export function findProgram(program: string): string | undefined {
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function components(): ReadonlyMap<string, Component> {
  const text = readFileSync(new URL("../system-packages", import.meta.url), "utf8");
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const [name = "", programs = "", packages = ""] = line.split("|").map((cell) => cell.trim());
      return [name, { programs: programs.split(/\s+/), packages: packages.split(/\s+/) }];
    }),
  );
}

function canReachRegistry(): boolean {
  const args = ["ping", "--fetch-retries=0", "--fetch-timeout=5000"];
  return isRequired || spawnSync("npm", args, { stdio: "ignore" }).status === 0;
}
