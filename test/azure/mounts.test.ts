/** Storage that nodes see as directories: what lies there, how programs find it, what is left there. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const services = useServices();

function write(project: FlowProject, task: object, options: object): void {
  Object.assign(project.env, keysFor(services));
  const azure = { type: "azure-batch", ...optionsFor(services, options) };
  const file = { version: 1, backends: { azure }, tasks: { work: { backend: "azure", ...task } } };
  writeFileSync(project.path("flow.yaml"), JSON.stringify(file));
}

/** Reads one blob. */
async function blob(container: string, name: string): Promise<string> {
  const { azurite } = services;
  const credential = new StorageSharedKeyCredential(azurite.accountName, azurite.accountKey);
  const client = new ContainerClient(`${azurite.blobEndpoint}/${container}`, credential);
  return (await client.getBlobClient(name).downloadToBuffer()).toString();
}

describe("mounts", () => {
  flowTest(
    "hold uploads before the first task, and each attempt's output after",
    async ({ project }) => {
      const { simulator } = services;
      mkdirSync(project.path("scripts/more"), { recursive: true });
      writeFileSync(
        project.path("scripts/hello.sh"),
        "echo hello from $0; ls $AZ_BATCHAI_JOB_MOUNT_ROOT",
      );
      writeFileSync(project.path("scripts/more/data.txt"), "data\n");
      const mounts = { scripts: { blob: "scripts", path: "afs/scripts" }, logs: { files: "logs" } };
      write(
        project,
        {
          mounts: { scripts: "./scripts" },
          actions: [
            "sh $FLOW_MOUNT_SCRIPTS/hello.sh; cp $FLOW_MOUNT_SCRIPTS/more/data.txt ${{ target }}",
          ],
          targets: ["copy.txt"],
          outputs: { MODEL: "" },
        },
        { mounts, upload: { scripts: "scripts" }, stdouterr: "logs/runs" },
      );
      const flow = await project.runEvents();
      expect(flow.code).toBe(0);
      expect(project.read("copy.txt")).toBe("data\n");
      expect(await blob("scripts", "more/data.txt")).toBe("data\n");
      const share = simulator.shareDirectory("https://devstoreaccount1.file.core.windows.net/logs");
      const [segment = ""] = readdirSync(`${share}/runs`);
      expect(segment).toMatch(/^[0-9a-f]{16}-1$/);
      const printed = readFileSync(`${share}/runs/${segment}/stdouterr/stdout.txt`, "utf8");
      expect(printed).toMatch(
        /^hello from \/tmp\/flow-\S+\/mounts\/afs\/scripts\/hello.sh\nafs\nlogs\n$/,
      );
      // The account's key is in the pool's mount of the share, where the service knows nothing less; the
      // container's mount has a signature that ends.
      const [bodies] = simulator.exchanges
        .filter(({ operation }) => operation === "Job_Add")
        .slice(-1);
      const { pool } = JSON.parse(bodies?.body ?? "{}").poolInfo.autoPoolSpecification;
      const [container, files] = pool.mountConfiguration;
      expect(container.azureBlobFileSystemConfiguration).not.toHaveProperty("accountKey");
      expect(container.azureBlobFileSystemConfiguration.sasKey).toMatch(/sig=/);
      expect(files.azureFileShareConfiguration.accountKey).toBe(services.azurite.accountKey);
    },
  );

  flowTest(
    "of shares and exports are filled before the first task, and again when the files change",
    async ({ project }) => {
      const mounts = { tools: { files: "tools" }, home: { nfs: "server:/export", path: "a/home" } };
      const upload = { tools: "tools/sub", "one.txt": "tools/renamed.txt", "two.txt": "home" };
      const files = ["TOOLS/sub/in/name", "TOOLS/renamed.txt", "HOME/two.txt"];
      const read = `cat ${files.map((file) => `$FLOW_MOUNT_${file}`).join(" ")} >\${{ target }}`;
      write(
        project,
        { matrix: { n: [1, 2, 3] }, targets: ["${{ matrix.n }}"], actions: [read], always: true },
        { mounts, upload },
      );
      project.write("one.txt", "one\n");
      project.write("two.txt", "two\n");
      project.write("tools/in/run", "a program\n", 0o700);
      const address = "https://devstoreaccount1.file.core.windows.net/tools";
      const share = services.simulator.shareDirectory(address);
      const marks = () => {
        const [mark = ""] = readdirSync(share).filter((name) => name.startsWith(".flow-upload-"));
        return statSync(`${share}/${mark}`).mtimeMs;
      };
      const seen: number[] = [];
      for (const name of ["first", "first", "second"]) {
        project.write("tools/in/name", `${name}\n`);
        expect(await project.run("run")).toMatchObject({ code: 0 });
        for (const n of [1, 2, 3]) expect(project.read(String(n))).toBe(`${name}\none\ntwo\n`);
        seen.push(marks());
      }
      expect(seen[1]).toBe(seen[0]);
      expect(seen[2]).not.toBe(seen[1]);
      expect(readdirSync(share).sort()).toEqual([
        expect.stringMatching(/^\.flow-upload-[0-9a-f]{8}$/),
        "renamed.txt",
        "sub",
      ]);
      // Each task may run as another user of its node.
      expect(statSync(`${share}/sub/in/run`).mode & 0o777).toBe(0o755);
      expect(statSync(`${share}/sub/in`).mode & 0o777).toBe(0o777);
    },
  );

  flowTest(
    "that cannot be written to are said by the tasks that need them",
    async ({ project }) => {
      write(
        project,
        { actions: ["true"] },
        { mounts: { full: { files: "full" } }, upload: { "one.txt": "full/place/one.txt" } },
      );
      project.write("one.txt", "one\n");
      const address = "https://devstoreaccount1.file.core.windows.net/full";
      writeFileSync(`${services.simulator.shareDirectory(address)}/place`, "a file, and no folder");
      const { code, stderr } = await project.run("run");
      expect(code).toBe(1);
      expect(stderr).toContain(
        "the node could not run it: the uploads for the mount `full` cannot be copied there; is it full, or read-only?",
      );
    },
  );

  flowTest(
    "that a task needs and the backend lacks are said before anything is sent",
    async ({ project }) => {
      write(project, { mounts: { data: "./data" }, actions: ["true"] }, {});
      const before = services.simulator.exchanges.filter(
        ({ operation }) => operation === "Job_Add",
      );
      const flow = await project.run("run");
      expect(flow.code).toBe(4);
      expect(flow.stderr).toContain("needs the mount `data`, and the backend has none");
      const after = services.simulator.exchanges.filter(({ operation }) => operation === "Job_Add");
      expect(after.length).toBe(before.length);
    },
  );
});
