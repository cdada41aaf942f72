import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { systemSuite } from "../../../test/rig/system.ts";
import type { RunnerSpec } from "../src/index.ts";
import { flowTaskPath } from "../src/index.ts";
import { Attempt, runners, until } from "./runner-rig.ts";

const guide = fileURLToPath(new URL("../../../docs/guide/resumable-scripts.md", import.meta.url));

interface Example {
  readonly language: string;
  readonly text: string;
}

const examples: readonly Example[] = [
  ...readFileSync(guide, "utf8").matchAll(/^```(sh|python|js)\n([\s\S]*?)^```$/gm),
].map(([, language = "", text = ""]) => ({ language, text }));

const programs: Readonly<Record<string, string>> = {
  sh: "sh",
  python: "python3",
  js: process.execPath,
};

systemSuite("python", "the guide's example", () => {
  it("is there in four ways", () => {
    expect(examples.map(({ language }) => language)).toEqual(["sh", "python", "python", "js"]);
  });

  it.each(examples.map((example, index) => [index + 1, example] as const))(
    "number %i goes on where it was stopped, and after a kill",
    async (_, { language, text }) => {
      const folder = mkdtempSync(join(tmpdir(), "flow-guide-"));
      try {
        const script = join(folder, language === "js" ? "script.mjs" : "script");
        // So slow that it does not end before it is stopped.
        const slow = text.replaceAll(/\b0\.1\b/g, "0.5").replaceAll("sleep(100)", "sleep(500)");
        expect(slow).not.toBe(text);
        writeFileSync(script, slow);
        mkdirSync(join(folder, "ckpt"));
        const spec: Partial<RunnerSpec> = {
          cwd: folder,
          env: {
            FLOW: "1",
            FLOW_CHECKPOINT_DIR: join(folder, "ckpt"),
            PYTHONPATH: dirname(flowTaskPath),
          },
          actions: [{ argv: [programs[language] ?? "", script] }],
        };
        const steps: string[] = [];
        steps.push(await interrupted(spec, "SIGTERM"));
        steps.push(await interrupted(spec, "SIGKILL"));
        writeFileSync(script, text);
        const last = await finished(spec);
        const numbers = [...steps, last].map((output) =>
          [...output.matchAll(/^step (\d+)$/gm)].map(([, number]) => Number(number)),
        );
        expect(numbers[0]?.[0]).toBe(1);
        expect(numbers[1]?.[0]).toBe((numbers[0]?.at(-1) ?? 0) + 1);
        // A killed step is done again; a saved one is not.
        expect([numbers[1]?.at(-1), (numbers[1]?.at(-1) ?? 0) + 1]).toContain(numbers[2]?.[0]);
        expect(numbers[2]?.at(-1)).toBe(10);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});

const [runner] = runners;

/** Output of an attempt that is asked to stop, or killed, when it has done a step. */
async function interrupted(spec: Partial<RunnerSpec>, how: "SIGTERM" | "SIGKILL"): Promise<string> {
  if (runner === undefined) throw new Error("there is no runner");
  using attempt = new Attempt(runner);
  const child = attempt.start(spec);
  await until(() => /^step \d+\n/m.test(attempt.read("stdout")), "a step");
  if (how === "SIGTERM") {
    child.kill(how);
    expect(await attempt.end(child)).toMatchObject({ code: 75, stopped: "shutdown" });
  } else {
    for (const pid of attempt.alive()) spawnSync("kill", ["-KILL", pid]);
    expect(await attempt.end(child)).toMatchObject({ code: 137, signal: 9 });
  }
  return attempt.read("stdout");
}

async function finished(spec: Partial<RunnerSpec>): Promise<string> {
  if (runner === undefined) throw new Error("there is no runner");
  using attempt = new Attempt(runner);
  expect(await attempt.run(spec)).toMatchObject({ code: 0 });
  expect(attempt.read("stderr")).toBe("");
  return attempt.read("stdout");
}
