/**
 * A stop must reach the program whenever it comes. Here the runner in sh signals itself in front of one of
 * its lines after the other, and its search for the program is shown processes in every state.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { systemSuite } from "../../../test/rig/system.ts";
import { flowRunnerPath } from "../src/index.ts";
import { Attempt, runners, sh } from "./runner-rig.ts";

const lines = readFileSync(flowRunnerPath, "utf8").split("\n");

/** Numbers of the lines from the first that starts like this to before the next that does. */
function part(from: string, to: string): readonly number[] {
  const start = lines.findIndex((line) => line.startsWith(from));
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith(to)) + 1;
  if (start < 0 || length === 0) throw new Error(`the runner has no part from ${from} to ${to}`);
  return Array.from({ length }, (_, index) => start + index);
}

/** What the runner needs to find the program, with `proc` for the kernel's files. */
const search = (proc: string): string =>
  [...part("r_read_stat() {", "# Sets r_decimal"), ...part("# --- signals to", "# --- stop")]
    .map((index) => lines[index]?.replaceAll("/proc/", `${proc}/`))
    .join("\n");

/** A process as the kernel tells of it; signals are bits of a number. */
interface Seen {
  readonly name?: string;
  readonly state?: "S" | "Z";
  /** Whether it has become another program since it was forked. */
  readonly forked?: boolean;
  readonly catches?: number;
  readonly ignores?: number;
  readonly children?: readonly number[];
}

const TERM = 1 << 14;

/** Shell commands that make these processes, and no others, be there. */
function there(processes: Readonly<Record<number, Seen>>): string {
  const made = Object.entries(processes).map(([pid, seen]) => {
    const { name = "python3", state = "S", forked, catches = 0, ignores = 0, children = [] } = seen;
    const fields = Array.from({ length: 50 }, () => "0");
    fields[9 - 3] = forked === true ? "1077936192" : "1077936128";
    fields[22 - 3] = `9${pid}`;
    fields[33 - 3] = String(ignores);
    fields[34 - 3] = String(catches);
    const folder = `proc/${pid}`;
    return `mkdir -p ${folder}/task/${pid}
      echo "${pid} (${name}) ${state} ${fields.slice(1).join(" ")}" >${folder}/stat
      printf '${children.map((child) => `${child} `).join("")}' >${folder}/task/${pid}/children`;
  });
  return `rm -rf proc/*\n${made.join("\n")}`;
}

for (const runner of runners.filter(({ spec }) => spec === "spec.sh")) {
  systemSuite(runner.name, `runner ${runner.name}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "flow-moments-"));
    afterAll(() => rmSync(folder, { recursive: true }));
    const shell = runner.command.slice(0, -1);
    const run = (text: string, ...options: readonly string[]): readonly [number | null, string] => {
      const [file = "", ...rest] = [...shell, ...options];
      const input = { cwd: folder, input: text, encoding: "utf8" } as const;
      const { status, stdout } = spawnSync(file, [...rest, "-s"], input);
      return [status, stdout];
    };

    /** What is done to have process 42 hear TERM, a second state being there after the first pause and so on. */
    const told = (...states: readonly Readonly<Record<number, Seen>>[]): string => {
      const [first = {}, ...later] = states;
      const next = later.map((state, index) => `${index}) ${there(state)} ;;`).join("\n");
      return run(`${search("proc")}
        kill() { echo "$2 $3"; }
        pause=0
        sleep() { echo pause; case $pause in ${next} *) ;; esac; pause=$((pause + 1)); }
        r_pid=42 r_reached= r_idle=
        ${there(first)}
        r_tell TERM; echo over; r_look TERM`)[1].trim();
    };

    it("signals a program, and once", () => {
      expect(told({ 42: { catches: TERM } })).toBe("TERM 42\nover");
      expect(told({ 42: {} })).toBe("TERM 42\nover");
      expect(told({ 42: { name: "sh", catches: TERM, children: [43] }, 43: {} })).toBe(
        "TERM 42\nover",
      );
    });

    it("waits for its own copy to become the program before it signals that", () => {
      const copy: Seen = { name: "sh", forked: true, catches: TERM };
      expect(told({ 42: copy }, { 42: copy }, { 42: {} })).toBe("pause\npause\nTERM 42\nover");
      // It has no trap left and dies of it.
      expect(told({ 42: { ...copy, catches: 0 } })).toBe("TERM 42\nover");
    });

    it("signals what runs below a shell, and later what has come since", () => {
      const around: Seen = { name: "sh" };
      const first = {
        42: { ...around, children: [43, 44] },
        43: {},
        44: { ...around, children: [45] },
        45: {},
      };
      expect(told(first)).toBe("TERM 43\nTERM 45\nover");
      const ended = { 42: { ...around, children: [43] }, 43: { state: "Z" as const } };
      const next = { 42: { ...around, children: [46] }, 46: {} };
      expect(told(ended, next)).toBe("pause\nTERM 46\nover");
      expect(told({ 42: { ...around, children: [43] } }, next)).toBe("pause\nTERM 46\nover");
    });

    it("lets a shell that has just lost its child leave with the code of that", () => {
      expect(told({ 42: { name: "bash" } }, { 42: { state: "Z" } })).toBe(
        "pause\nTERM 42\nover\nTERM 42",
      );
      expect(told({ 42: { name: "bash" } }, { 42: { name: "bash" } })).toBe("pause\nTERM 42\nover");
    });

    it("looks again for a program that ignores the signal at first", () => {
      const deaf: Seen = { name: "env", ignores: TERM };
      expect(told({ 42: deaf }, { 42: { catches: TERM } })).toBe("TERM 42\npause\nTERM 42\nover");
    });

    it("is not mistaken about a program that falls asleep and wakes all the time", () => {
      writeFileSync(
        join(folder, "program"),
        "trap : TERM; echo >ready; while :; do /bin/true; done",
      );
      const said = run(`${search("/proc")}
        kill() { [ "$3" = "$r_pid" ] || echo wrong; }
        mkfifo ready
        sh program & r_pid=$!
        read -r line <ready
        looks=0
        while [ $looks -lt 600 ]; do
          looks=$((looks + 1)) r_reached= r_idle=
          r_look TERM
        done
        command kill -s KILL $r_pid
        wait $r_pid
        echo done`)[1];
      expect(said).toBe("done\n");
    });

    it("stops for a signal that comes in front of any line on the way to the program", async () => {
      const places = [
        part("r_run_all() {", "}").slice(1),
        part("r_run_action() {", "}").slice(1),
        part("r_busy=", "r_busy=1"),
      ].flat();
      // Ends well where the line was not reached before it began.
      const program = sh("trap 'exit 75' TERM; while [ -e planted ]; do sleep 0.02; done");
      let stops = 0;
      const one = async (at: number): Promise<void> => {
        const text = lines.toSpliced(at, 0, ": >planted; kill -s TERM $$").join("\n");
        if (/^ *(#|$)/.test(lines[at] ?? "") || run(text, "-n")[0] !== 0) return;
        const file = join(folder, `${at}.sh`);
        writeFileSync(file, text);
        using attempt = new Attempt({ ...runner, command: [...shell, file] });
        const { code, cause } = await attempt.run({
          actions: [program, program],
          stop: { grace_s: 60 },
        });
        if (code === 0) return;
        stops++;
        expect(`line ${at + 1}: ${cause}`).toBe(`line ${at + 1}: signal:TERM`);
      };
      const lanes = Array.from({ length: 6 }, async () => {
        for (let at = places.shift(); at !== undefined; at = places.shift()) await one(at);
      });
      await Promise.all(lanes);
      expect(stops).toBeGreaterThan(20);
    });
  });
}
