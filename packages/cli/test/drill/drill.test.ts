import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectFolder } from "../project-folder.ts";

/**
 * Counts to 30, with a stay of three seconds at 6 unless it is told to stop: there the drill finds it. `read` and `ask`
 * are what a task that survives does.
 */
const counting = (read: string, ask: string): string => `trap : TERM
i=${read}
while [ $i -lt 30 ]; do
  ${ask}
  i=$((i + 1)); echo $i > "$FLOW_CHECKPOINT_DIR/n.tmp"; mv "$FLOW_CHECKPOINT_DIR/n.tmp" "$FLOW_CHECKPOINT_DIR/n"
  echo '{"k":"progress","done":'$i',"total":30}' >> "$FLOW_EVENTS"
  n=0
  while [ $i -eq 6 ] && [ $n -lt 60 ] && [ ! -e "$FLOW_STOP_FILE" ]; do
    n=$((n + 1)); sleep 0.05 || :
  done
  sleep 0.02 || :
done
cat data.txt > out.txt
`;

const FLOW = `version: 1
tasks:
  data: { targets: [data.txt], actions: ["echo data > data.txt"] }
  good: { deps: [data.txt, good.sh], checkpoint: true, targets: [out.txt], actions: [[sh, good.sh]] }
  bad: { deps: [data.txt, bad.sh], checkpoint: true, targets: [bad/out.txt], actions: ["sh bad.sh; mv out.txt bad/"] }
`;

const folder = () =>
  projectFolder({
    "flow.yaml": FLOW,
    "good.sh": counting(
      '$(cat "$FLOW_CHECKPOINT_DIR/n" 2>/dev/null || echo 0)',
      '[ -e "$FLOW_STOP_FILE" ] && exit 75',
    ),
    "bad.sh": counting("0", '[ -e "$FLOW_STOP_FILE" ] && exit 1'),
  });

describe("flow drill", () => {
  it("passes a task that survives, and leaves the project as it was", async () => {
    const { flow, path } = folder();
    await flow("run", "-q", "data");
    const before = readdirSync(path);
    const { code, stdout } = await flow(
      "drill",
      "good",
      "--ways",
      "stop,kill",
      "--at",
      "20%",
      "--json",
    );
    expect(JSON.parse(stdout)).toMatchObject([
      {
        task: "good",
        reference: { progress: { last: 30 } },
        trials: [
          { way: "stop", at: "at 20%", result: "pass", problems: [] },
          { way: "kill", at: "at 20%", result: "pass", problems: [] },
        ],
      },
    ]);
    expect(code).toBe(0);
    expect(readdirSync(path)).toEqual(before);
    expect(existsSync(join(path, ".flow/drill"))).toBe(false);
    expect((await flow("runs", "--cols", "task")).stdout).not.toContain("good");
  });

  it("says what a task that does not survive must do", async () => {
    const { flow } = folder();
    await flow("run", "-q", "data");
    const { code, stdout } = await flow("drill", "bad", "--ways", "stop", "--at", "20%");
    expect(code).toBe(1);
    expect(stdout).toContain("✖ stop at 20%");
    expect(stdout).toContain("counted as a failure (exit 1)");
    expect(stdout).toContain("began anew although it had got further");
  });

  it("refuses what it does not know, and a task whose inputs are missing", async () => {
    const { flow } = folder();
    expect((await flow("drill", "good", "--ways", "stop,poke")).stderr).toBe(
      "flow: --ways takes stop, cancel, limit, kill, leave, not `poke`\n",
    );
    expect((await flow("drill", "good", "--at", "noon")).stderr).toBe(
      "flow: --at takes moments such as `50%` or `3s`, not `noon`\n",
    );
    const missing = await flow("drill", "good");
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("good cannot be drilled: ");
    expect(missing.stderr).toContain("data.txt");
  });
});
