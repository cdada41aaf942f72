/** What a person sees when SLURM's commands fail, are slow or say odd things; played by fakes, without SLURM. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeSlurm, fakeSlurm } from "./fake/fake-slurm.ts";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));

const file = `version: 1
backends:
  cluster: {type: slurm, poll: 200ms}
tasks:
  work: {backend: cluster, actions: ["echo start >>starts; sleep 0.5"]}
`;

/** Only the submission itself, not the look at the version and the trial of the request. */
const onSubmit = (text: string) => `case $1 in --parsable) ${text};; esac`;
const fails = (...lines: readonly string[]) =>
  `{ ${lines.map((line) => `echo "${line}"`).join("; ")}; } >&2; exit 1`;

describe("commands of SLURM that", () => {
  let fake: FakeSlurm;
  let root: string;
  beforeEach(() => {
    fake = fakeSlurm();
    root = mkdtempSync(join(tmpdir(), "flow-commands-"));
    writeFileSync(join(root, "flow.yaml"), file);
  });
  afterEach(() => {
    fake[Symbol.dispose]();
    rmSync(root, { recursive: true, force: true, maxRetries: 20 });
  });

  const run = () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, "run"], {
      cwd: root,
      env: fake.env,
      encoding: "utf8",
      timeout: 250_000,
    });
    return { status, text: stdout + stderr };
  };
  const starts = () => readFileSync(join(root, "starts"), "utf8");

  it("refuse a job fail its task with their own words, and nothing is left behind", () => {
    const why = "Invalid account or account/partition combination specified";
    fake.before("sbatch", onSubmit(fails(`sbatch: error: Batch job submission failed: ${why}`)));
    const { status, text } = run();
    expect(text).toContain(
      `    what     The scheduler refused the job: Batch job submission failed: ${why}\n`,
    );
    expect(text).toContain("    rerun    flow run work\n");
    expect(status).toBe(1);
    expect(fake.jobs()).toBe(0);
  });

  it("are away for a moment delay the job, which is said, and it runs once", () => {
    const away = fails("sbatch: error: Unable to contact slurm controller (connect failure)");
    fake.before("sbatch", onSubmit(`[ -e tried ] || { : >tried; ${away}; }`));
    const { status, text } = run();
    expect(status, text).toBe(0);
    expect(text).toMatch(
      /warning .*work: could not be submitted yet: Unable to contact slurm controller \(connect failure\); flow tries again\n/,
    );
    expect(starts()).toBe("start\n");
  });

  it("take a job and lose their answer do not make it run twice", () => {
    const lost = fails(
      "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
    );
    // The real submission comes from a call of the fake itself, whose answer nobody gets.
    fake.before(
      "sbatch",
      `case $1:\${again:-} in --parsable:) again=1 "$0" "$@" >/dev/null; ${lost};; esac`,
    );
    const { status, text } = run();
    expect(status, text).toBe(0);
    expect(fake.jobs()).toBe(1);
    expect(starts()).toBe("start\n");
  });

  it.each([
    [
      "cannot list",
      fails("slurm_load_jobs error: Unable to contact slurm controller (connect failure)"),
    ],
    ["are slow", "sleep 1"],
    ["print a banner", `echo "*** Maintenance on Tuesday | see motd ***"; echo; echo "a|b"`],
    ["print nothing every other time", "mkdir blank 2>/dev/null && exit 0; rmdir blank"],
    ["print warnings beside the list", `echo "squeue: warning: deprecated option" >&2`],
  ])("%s keep no result from being seen", (_, text) => {
    fake.before("squeue", text);
    const { status, text: shown } = run();
    expect(status, shown).toBe(0);
    expect(starts()).toBe("start\n");
  });

  it("forget a job they had taken: it is lost, not waited for", () => {
    fake.before("sbatch", onSubmit("cat >/dev/null; echo 77; exit 0"));
    const { status, text } = run();
    expect(text).toContain("    what     its job is gone from the scheduler and had not started\n");
    expect(text).toContain("    rerun    flow run work\n");
    expect(status).toBe(1);
  });

  it("have no configuration are an obstacle that is named before anything starts", () => {
    fake.before("sbatch", fails("sbatch: fatal: Could not establish a configuration source"));
    const { status, text } = run();
    expect(text).toBe(
      "flow: the backend `cluster` cannot be used: `sbatch --version` cannot be run: sbatch: fatal: Could not establish a configuration source. Run flow on a login node of the cluster, or name one with `host:`.\n",
    );
    expect(status).toBe(4);
  });
});
