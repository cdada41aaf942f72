import { describe, expect, it } from "vitest";
import { COMMAND_MODULES, commandLine } from "../src/command-line.ts";
import { COMMAND_TABLE, GLOBAL_OPTIONS } from "../src/command-table.ts";
import { VERSION } from "../src/version.ts";
import { fakeIo } from "./fake-io.ts";

async function flow(...args: readonly string[]) {
  const io = fakeIo();
  const code = await commandLine(args, io);
  return { code, stdout: io.stdout.text, stderr: io.stderr.text };
}

describe("the command line", () => {
  it("prints its version to stdout", async () => {
    expect(await flow("version")).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: "" });
    expect(await flow("--version")).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: "" });
  });

  it("prints the version as JSON", async () => {
    const { stdout } = await flow("version", "--json");
    expect(JSON.parse(stdout)).toEqual({ flow: VERSION, node: process.versions.node });
  });

  it.each(
    "run exec plan status why list show graph logs ps attach cancel resolve history clean forget accept check init schema version runs compare".split(
      " ",
    ),
  )("gives the answers of `flow %s` to programs with --json", async (name) => {
    const row = COMMAND_TABLE.find((one) => one.name === name);
    expect(row?.options.map((option) => option.name)).toContain("json");
  });

  it("shows the list of commands when nothing is asked", async () => {
    const { code, stdout } = await flow();
    expect(code).toBe(0);
    expect(stdout).toMatch(/^flow runs a graph of commands/);
    for (const { name } of COMMAND_TABLE) expect(stdout).toMatch(new RegExp(`^ {2}${name} `, "m"));
  });

  it("knows commands by their other names", async () => {
    const expected = await flow("help", "runs");
    expect(await flow("help", "query")).toEqual(expected);
    expect(await flow("query", "--help")).toEqual(expected);
  });

  it.each([
    ["run", "-C", "/tmp", "-f", "x.yaml", "--", "-f"],
    ["-C", "/tmp", "-f", "x.yaml", "run", "--", "-f"],
    ["-C/tmp", "--file=x.yaml", "run", "--", "-f"],
    ["--dir", "/tmp", "--file", "x.yaml", "run", "--", "-f"],
  ])("takes the place before and behind the command: %j", async (...args) => {
    expect(await flow(...args)).toEqual({
      code: 2,
      stdout: "",
      stderr:
        "error: there is no flow file `x.yaml` [no-flow-file]\n  fix: Looked for /tmp/x.yaml.\n",
    });
  });

  it("shows the help of a command in three ways", async () => {
    const expected = await flow("help", "init");
    expect(expected.stdout).toBe(
      `flow init: write a small commented flow.yaml

usage: flow init [OPTION…] [DIR]

Options:
      --json        print JSON instead of text
      --color WHEN  colours: auto, always or never
  -h, --help        show this help
`,
    );
    expect(await flow("init", "--help")).toEqual(expected);
    expect(await flow("init", "-h")).toEqual(expected);
  });

  it("keeps every line of help within 80 columns", async () => {
    for (const { name } of COMMAND_TABLE) {
      const { stdout } = await flow("help", name);
      for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    }
  });

  it("has a module for every row of the table and no other", () => {
    const rows = COMMAND_TABLE.map(({ name }) => name);
    expect(Object.keys(COMMAND_MODULES).sort()).toEqual([...rows].sort());
  });

  it("has no option twice in one command", () => {
    for (const row of COMMAND_TABLE) {
      const options = [...row.options, ...GLOBAL_OPTIONS];
      const names = options.map(({ name }) => name);
      const letters = options.flatMap(({ short }) => short ?? []);
      expect(new Set(names).size, row.name).toBe(names.length);
      expect(new Set(letters).size, row.name).toBe(letters.length);
    }
  });
});

describe("a wrong command line", () => {
  it.each([
    [
      ["verison"],
      "flow: There is no command `verison`. Did you mean `version`? `flow help` lists the commands.\n",
    ],
    [["frobnicate"], "flow: There is no command `frobnicate`. `flow help` lists the commands.\n"],
    [
      ["-n", "9"],
      "flow: `-n` stands before the command; options but for -C and -f come after it, as in `flow run -n`. `flow help` lists the commands.\n",
    ],
    [
      ["-C", "elsewhere"],
      "flow: `-C` needs a value and a command behind it, as in `flow -C DIR run`. `flow help` lists the commands.\n",
    ],
    [
      ["-C", "elsewhere", "version"],
      "flow: `flow version` has no option `-C`. It belongs to `flow run`, `flow exec`, `flow sub` and 24 more. See `flow help version`.\n",
    ],
    [["help", "bogus"], "flow: There is no command `bogus`. `flow help` lists the commands.\n"],
    [
      ["version", "--jsn"],
      "flow: `flow version` has no option `--jsn`. Did you mean `--json`? See `flow help version`.\n",
    ],
    [
      ["version", "--keep-going"],
      "flow: `flow version` has no option `--keep-going`. It belongs to `flow run`. See `flow help version`.\n",
    ],
    [
      ["version", "--color"],
      "flow: `--color` needs a value: colours: auto, always or never. See `flow help version`.\n",
    ],
    [
      ["version", "--color=alwais"],
      "flow: `--color` is one of auto, always, never, found `alwais`. Did you mean `always`? See `flow help version`.\n",
    ],
    [
      ["version", "--json=yes"],
      "flow: `--json` takes no value, found `yes`. See `flow help version`.\n",
    ],
    [
      ["version", "now"],
      "flow: `flow version` takes no arguments, found `now`. See `flow help version`.\n",
    ],
    [
      ["help", "version", "init"],
      "flow: `flow help` takes [COMMAND] only, found also `init`. See `flow help help`.\n",
    ],
    [
      ["help", "verison"],
      "flow: There is no command `verison`. Did you mean `version`? `flow help` lists the commands.\n",
    ],
    [
      ["vers\u001b[2Jon"],
      "flow: There is no command `verson`. Did you mean `version`? `flow help` lists the commands.\n",
    ],
  ])("%j is refused with exit code 2 and a way out", async (args, stderr) => {
    expect(await flow(...args)).toEqual({ code: 2, stdout: "", stderr });
  });
});
