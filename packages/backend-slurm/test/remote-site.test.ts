/** The other side of a cluster that does not see the project, played by another folder of this machine. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Job } from "@flow/core";
import { jobOf } from "@flow/core/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fence, readIncarnation } from "../src/attempt/files.ts";
import { bytes, type Item, tarOfItems } from "../src/site/cargo.ts";
import { RemoteSite } from "../src/site/remote-site.ts";
import { translator } from "../src/site/translate.ts";
import { execTransport } from "../src/transport/exec.ts";
import type { Transport } from "../src/transport/transport.ts";

describe("paths of another machine", () => {
  const to = translator({ "/home/me/p": "/scratch/w", "/home/me/p/.flow/ckpt": "/scratch/k" });

  it("take the place of those below the project, the longest first", () => {
    expect(to("/home/me/p/data:/home/me/p")).toBe("/scratch/w/data:/scratch/w");
    expect(to("cp '/home/me/p/.flow/ckpt/x' /home/me/p/.flow/x")).toBe(
      "cp '/scratch/k/x' /scratch/w/.flow/x",
    );
  });

  it("leave alone what only looks like them", () => {
    for (const text of ["/home/me/p2", "/home/me/p.old", "/mnt/home/me/p", "/home/me/.p", "p"])
      expect(to(text)).toBe(text);
  });
});

describe("a project that the nodes do not see", () => {
  let folder: string;
  let job: Job;
  let site: RemoteSite;
  let transport: Transport;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "flow-site-"));
    const root = join(folder, "here");
    const state = join(root, ".flow");
    const attempt = join(state, "tasks/ab/abcd/attempts/1");
    const base = join(folder, "there");
    for (const path of [attempt, base, join(state, "backends/c/scripts-1")])
      mkdirSync(path, { recursive: true });
    put("here/.flow/backends/c/scripts-1/member.sh", "true");
    put("here/in/a", "alpha");
    put("here/in/deep/b", "beta");
    put("here/.flow/tasks/ab/abcd/attempts/1/spec.sh", "spec");
    transport = execTransport(folder, process.env);
    const paths = {
      ...jobOf([]).paths,
      root,
      attempt,
      output: join(state, "tasks/ab/abcd/out"),
      checkpoint: join(state, "tasks/ab/abcd/ckpt"),
    };
    job = jobOf([], {
      paths,
      cwd: join(root, "in"),
      inputs: ["in"],
      outputs: ["made/x", "all"],
      env: { FLOW_CHECKPOINT_DIR: paths.checkpoint },
    });
    const place = {
      folder: join(state, "backends/c"),
      scripts: join(state, "backends/c/scripts-1"),
    };
    site = new RemoteSite({ transport, base, root, state, ...place, captureCode: undefined });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const deliver = () => site.deliver("flow-1", "0 x\n", [job]);
  /** The job's project there. */
  const work = () => site.translate(job).paths.root;

  it("finds its inputs there, read-only, and the folders for what it makes", async () => {
    expect(await deliver()).toBeUndefined();
    expect(readFileSync(join(work(), "in/deep/b"), "utf8")).toBe("beta");
    expect(statSync(join(work(), "in/a")).mode & 0o777).toBe(0o444);
    expect(statSync(join(work(), "made")).isDirectory()).toBe(true);
    expect(readFileSync(join(site.placeOf(job.paths.attempt), "spec.sh"), "utf8")).toBe("spec");
    expect(readFileSync(join(site.folder, "flow-1/index"), "utf8")).toBe("0 x\n");
    expect(existsSync(join(site.scripts, "member.sh"))).toBe(true);
    expect(site.translate(job).cwd).toBe(join(work(), "in"));
  });

  it("is not sent what is there already", async () => {
    await deliver();
    const sent: string[] = [];
    const { pipe } = transport;
    transport.pipe = (script, input, output) => {
      sent.push(script);
      return pipe(script, input, output);
    };
    job = { ...job, paths: { ...job.paths, attempt: `${job.paths.attempt}2` } };
    put("here/.flow/tasks/ab/abcd/attempts/12/spec.sh", "spec");
    put("here/in/c", "alpha");
    expect(await deliver()).toBeUndefined();
    expect(sent).toHaveLength(1);
    expect(readFileSync(join(work(), "in/c"), "utf8")).toBe("alpha");
    expect(statSync(join(work(), "in/c")).nlink).toBe(statSync(join(work(), "in/a")).nlink);
  });

  it("is not submitted when what arrives is not what was sent", async () => {
    const { pipe } = transport;
    transport.pipe = (script, _, output) =>
      pipe(
        script,
        tarOfItems([{ path: "0".repeat(64), content: bytes("something") }] satisfies Item[]),
        output,
      );
    expect(await deliver()).toEqual({
      type: "away",
      message: `its files cannot be sent: the content of ${"0".repeat(64)} is not what was sent`,
    });
    expect(readdirSync(join(folder, "there/files"))).toEqual([]);
  });

  it("is followed while it runs, each byte once", async () => {
    await deliver();
    const there = site.placeOf(job.paths.attempt);
    mkdirSync(join(there, "0.0"));
    writeFileSync(join(there, "0.0/started"), "pid=1 start=2 boot=3 host=n1 runner=sh\n");
    writeFileSync(join(there, "stdout"), "one\n");
    expect(await site.refresh([job.paths.attempt])).toBeUndefined();
    appendFileSync(join(there, "stdout"), Buffer.from([0, 255, 10]));
    await site.refresh([job.paths.attempt]);
    await site.refresh([job.paths.attempt]);
    const out = readFileSync(join(job.paths.attempt, "stdout"));
    expect(out).toEqual(Buffer.from([...Buffer.from("one\n"), 0, 255, 10]));
    expect(existsSync(join(job.paths.attempt, "0.0/started"))).toBe(true);
  });

  it("starts or is fenced, whichever comes first", async () => {
    await deliver();
    const there = site.placeOf(job.paths.attempt);
    expect(await site.fence(job.paths.attempt, 0, 0)).toBe(true);
    expect(await site.fence(job.paths.attempt, 0, 0)).toBe(true);
    expect(readIncarnation(job.paths.attempt, 0, 0).fenced).toBe(true);
    expect(fence(there, 0, 0)).toBe(true);
    mkdirSync(join(there, "0.1"));
    writeFileSync(join(there, "0.1/started"), "pid=1 start=2 boot=3 host=n1 runner=sh\n");
    expect(await site.fence(job.paths.attempt, 0, 1)).toBe(false);
    rmSync(join(folder, "there"), { recursive: true });
    expect(await site.fence(job.paths.attempt, 0, 2)).toBeUndefined();
  });

  it("brings home what it made and its checkpoint, and takes that along again", async () => {
    await deliver();
    const { checkpoint } = site.translate(job).paths;
    writeFileSync(join(work(), "made/x"), "result");
    mkdirSync(join(work(), "all/sub"), { recursive: true });
    writeFileSync(join(work(), "all/sub/y"), "more");
    writeFileSync(join(checkpoint, "state"), "half");
    expect(await site.bringHome(job.paths.attempt, false)).toBeUndefined();
    expect(readFileSync(join(folder, "here/made/x"), "utf8")).toBe("result");
    expect(readFileSync(join(folder, "here/all/sub/y"), "utf8")).toBe("more");
    expect(readFileSync(join(job.paths.checkpoint, "state"), "utf8")).toBe("half");
    expect(existsSync(work())).toBe(false);
    expect(existsSync(join(checkpoint, "state"))).toBe(true);

    writeFileSync(join(job.paths.checkpoint, "state"), "changed here");
    job = { ...job, paths: { ...job.paths, attempt: `${job.paths.attempt}2` } };
    put("here/.flow/tasks/ab/abcd/attempts/12/spec.sh", "spec");
    await deliver();
    expect(readFileSync(join(checkpoint, "state"), "utf8")).toBe("changed here");
    expect(await site.bringHome(job.paths.attempt, true)).toBeUndefined();
    expect(existsSync(checkpoint)).toBe(false);
  });

  it("keeps what it made there until it can be brought home", async () => {
    await deliver();
    writeFileSync(join(work(), "made/x"), "result");
    const { pipe } = transport;
    transport.pipe = async () => ({ code: undefined, stderr: "the connection was cut" });
    expect(await site.bringHome(job.paths.attempt, true)).toBe(
      "what it made cannot be brought here: the connection was cut",
    );
    expect(existsSync(join(work(), "made/x"))).toBe(true);
    transport.pipe = pipe;
    expect(await site.bringHome(job.paths.attempt, true)).toBeUndefined();
    expect(readFileSync(join(folder, "here/made/x"), "utf8")).toBe("result");
  });

  it("refuses a file that changes while it is sent", async () => {
    const items: Item[] = [{ path: "x", content: { size: 3, read: () => [Buffer.from("four")] } }];
    const all = async () => {
      for await (const _ of tarOfItems(items));
    };
    await expect(all()).rejects.toThrow("`x` changed while it was sent");
  });
});
