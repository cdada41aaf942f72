/** The lock under which a checkout is set up, and the launcher's one-time work, each without a network. */
import { execFile, spawn } from "node:child_process";
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const lockModule = new URL("../scripts/lock.mjs", import.meta.url).href;
const runFile = promisify(execFile);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flow-set-up-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Takes the lock, notes entering and leaving in a shared file, and lets go. */
const visitor = `
  import { appendFileSync } from "node:fs";
  const { acquireLock } = await import(${JSON.stringify(lockModule)});
  const release = await acquireLock("lock", () => undefined);
  appendFileSync("visits", "enter " + process.pid + "\\n");
  await new Promise((resolve) => setTimeout(resolve, 5));
  appendFileSync("visits", "leave " + process.pid + "\\n");
  release();
`;

describe("the set-up lock", () => {
  it("lets one of many processes in at a time, also after its owner was killed", async () => {
    const owner = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `const { acquireLock } = await import(${JSON.stringify(lockModule)});
         await acquireLock("lock", () => undefined);
         process.stdout.write("held");
         setInterval(() => undefined, 1000);`,
      ],
      { cwd: folder, stdio: ["ignore", "pipe", "inherit"] },
    );
    await new Promise((resolve) => owner.stdout.once("data", resolve));
    owner.kill("SIGKILL");
    await new Promise((resolve) => owner.once("close", resolve));

    const args = ["--input-type=module", "-e", visitor];
    await Promise.all(
      Array.from({ length: 6 }, () => runFile(process.execPath, args, { cwd: folder })),
    );

    const visits = (await readFile(join(folder, "visits"), "utf8")).trim().split("\n");
    expect(visits).toHaveLength(12);
    for (let i = 0; i < visits.length; i += 2)
      expect(visits[i + 1]).toBe(visits[i]?.replace("enter", "leave"));
  });
});

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Copies what the launcher reads, with a command line of one line; `node_modules` is linked, so nothing is fetched. */
async function copyCheckout({ isInstalled }: { isInstalled: boolean }): Promise<void> {
  const { stdout } = await runFile(
    "git",
    [
      "ls-files",
      "-co",
      "--exclude-standard",
      "flow",
      ".npmrc",
      "scripts",
      "package.json",
      "package-lock.json",
      "packages/*/package.json",
    ],
    { cwd: root, maxBuffer: 64 << 20 },
  );
  const paths = stdout.trim().split("\n");
  expect(paths).toContain("flow");
  for (const path of paths) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await cp(join(root, path), join(folder, path)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
  }
  await mkdir(join(folder, "packages/cli/src"));
  await writeFile(join(folder, "packages/cli/src/main.ts"), 'process.stdout.write("0.1.0\\n");\n');
  if (isInstalled) await symlink(join(root, "node_modules"), join(folder, "node_modules"));
}

function launch(env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  return new Promise((resolve) => {
    const options = { cwd: "/", env: { ...process.env, ...env } };
    execFile("/bin/sh", [join(folder, "flow"), "version"], options, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr }),
    );
  });
}

describe("the launcher", () => {
  it("builds once when two start together, and is silent from then on", async () => {
    await copyCheckout({ isInstalled: true });
    const both = await Promise.all([launch(), launch()]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(both.map(({ stdout }) => stdout)).toEqual(["0.1.0\n", "0.1.0\n"]);
    const said = both.map(({ stderr }) => stderr).join("");
    expect(said.match(/^flow: building …$/gm)).toHaveLength(1);
    expect(await launch()).toEqual({ code: 0, stdout: "0.1.0\n", stderr: "" });
  });

  it("builds again after a source has changed", async () => {
    await copyCheckout({ isInstalled: true });
    await launch();
    const main = join(folder, "packages/cli/src/main.ts");
    const later = new Date(Date.now() + 1000);
    await writeFile(main, 'process.stdout.write("changed\\n");\n');
    await utimes(main, later, later);
    expect((await launch()).stdout).toBe("changed\n");
  });

  it("ships the files that sources refer to by URL", async () => {
    await copyCheckout({ isInstalled: true });
    await writeFile(join(folder, "packages/cli/greeting.txt"), "hello\n");
    await writeFile(
      join(folder, "packages/cli/src/main.ts"),
      `import { readFileSync } from "node:fs";
       const path = new URL("../greeting.txt", import.meta.url);
       process.stdout.write(path.pathname.split("/packages/")[1] + " " + readFileSync(path, "utf8"));\n`,
    );
    expect((await launch()).stdout).toMatch(
      /^cli\/dist\/assets\/[0-9a-f]{12}\/greeting\.txt hello\n$/,
    );
  });

  it("shows the compiler's words when the build fails, and ends with 4", async () => {
    await copyCheckout({ isInstalled: true });
    await writeFile(join(folder, "packages/cli/src/main.ts"), "const = 1;\n");
    const { code, stderr } = await launch();
    expect(code).toBe(4);
    expect(stderr).toContain("flow: The build failed.");
    expect(stderr).toContain("packages/cli/src/main.ts:1:6");
  });

  it("says in one sentence that the registry cannot be reached", async () => {
    await copyCheckout({ isInstalled: false });
    const { code, stdout, stderr } = await launch({
      npm_config_registry: "http://127.0.0.1:1",
      npm_config_cache: join(folder, "cache"),
    });
    expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
    expect(stderr.replace(/\d+\.\d s/, "0.0 s")).toBe(
      [
        "flow: installing packages …",
        "flow: installing packages … 0.0 s, 0 fetched, failed",
        "flow: The npm registry cannot be reached (ECONNREFUSED), and the packages of this checkout are not installed yet. Check the network, or the proxy and registry that `npm config list` shows, and run the command again.",
        "",
      ].join("\n"),
    );
  });

  it("says that npm is missing, and where it comes from", async () => {
    await copyCheckout({ isInstalled: false });
    const bin = join(folder, "bin");
    await mkdir(bin);
    await symlink(process.execPath, join(bin, "node"));
    const { code, stderr } = await launch({ PATH: bin });
    expect(code).toBe(4);
    expect(stderr).toContain(
      "flow: `npm` is not on PATH. It comes with Node.js (https://nodejs.org).\n",
    );
  });

  it("says that Node is missing", async () => {
    await copyCheckout({ isInstalled: false });
    expect(await launch({ PATH: folder })).toEqual({
      code: 4,
      stdout: "",
      stderr:
        "flow: Node.js is not on PATH; install version 20.19 or newer (https://nodejs.org).\n",
    });
  });

  it("says that Node is too old", async () => {
    await copyCheckout({ isInstalled: false });
    const old = join(folder, "old.mjs");
    await writeFile(
      old,
      'Object.defineProperty(process.versions, "node", { value: "18.20.8" });\n',
    );
    const bin = join(folder, "bin");
    await mkdir(bin);
    await writeFile(
      join(bin, "node"),
      `#!/bin/sh\nexec '${process.execPath}' --import '${old}' "$@"\n`,
    );
    await chmod(join(bin, "node"), 0o755);
    expect(await launch({ PATH: `${bin}:${process.env["PATH"]}` })).toEqual({
      code: 4,
      stdout: "",
      stderr:
        "flow: Node.js 18.20.8 is too old: flow needs 20.19 or newer. Install a newer one (https://nodejs.org) and put it first on PATH.\n",
    });
  });
});
