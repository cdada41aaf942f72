/**
 * The simulated account used by a client that nobody here wrote and that shares no code with the Node one:
 * the official Python client, where `python3-azure` is installed. It is large, so nothing installs it.
 */
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { useSimulator } from "./fixture.ts";

const script = fileURLToPath(new URL("foreign_client.py", import.meta.url));
const isThere =
  spawnSync("/usr/bin/python3", ["-c", "import azure.batch"], { stdio: "ignore" }).status === 0;
const reason = isThere ? "" : " [azure.batch not found: apt-get install python3-azure]";

describe.runIf(isThere)(`the official Python client${reason}`, () => {
  const fixture = useSimulator();

  it("finds what it expects", async () => {
    const { endpoint, accountName, accountKey } = fixture.simulator;
    const child = spawn("/usr/bin/python3", [script, endpoint, accountName, accountKey]);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    const status = await new Promise((resolve) => child.once("close", resolve));
    expect({ status, lines: output.trimEnd().split("\n") }).toEqual({
      status: 0,
      lines: [
        "[('task', 'success')]",
        "0 success",
        "hello",
        "",
        "ell",
        "['stderr.txt', 'stdout.txt', 'wd']",
        "1 1",
        "JobExists",
      ],
    });
  });
});
