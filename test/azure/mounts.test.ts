/** Storage that nodes see as directories: what lies there, how programs find it, what is left there. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
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
    "of shares are filled by a task, and again when the files change",
    async ({ project }) => {
      Object.assign(project.env, keysFor(services));
      const azure = {
        type: "azure-batch",
        ...optionsFor(services, { mounts: { tools: { files: "tools" } } }),
      };
      const tasks = {
        fill: {
          deps: ["tools/"],
          actions: ["cp -R tools/. $FLOW_MOUNT_TOOLS/", "touch ${{ target }}"],
          targets: ["tools.done"],
        },
        use: { deps: ["tools.done"], actions: ["cat $FLOW_MOUNT_TOOLS/in/name"], always: true },
      };
      const file = { version: 1, backends: { azure }, defaults: { backend: "azure" }, tasks };
      project.write("flow.yaml", JSON.stringify(file));
      for (const name of ["first", "second"]) {
        project.write("tools/in/name", name);
        expect(await project.run("run")).toMatchObject({ code: 0 });
        expect((await project.run("logs", "use")).stdout).toContain(name);
      }
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
