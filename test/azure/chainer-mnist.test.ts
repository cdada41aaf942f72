/** A Batch AI job as Batch AI ran it: two nodes, shares, a stream, a named output, and nothing left. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { describe, expect } from "vitest";
import { flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { keysFor } from "./open-backend.ts";

const services = useServices();
const FILE = "chainer-mnist.flow.yaml";

describe("workflows/chainer-mnist", () => {
  flowTest(
    "runs on two nodes, streams, lists its model and leaves nothing",
    async ({ project }) => {
      const { simulator, azurite } = services;
      project.copy("workflows");
      Object.assign(project.env, keysFor(services));
      const credential = new StorageSharedKeyCredential(azurite.accountName, azurite.accountKey);
      await new ContainerClient(`${azurite.blobEndpoint}/outputs`, credential).create();
      const text = project
        .read(FILE)
        .replace(/endpoint: .*/, `endpoint: ${simulator.endpoint}`)
        .replace(
          /storage: \{ account: .*/,
          `account: ${simulator.accountName}\n    storage: { account: ${azurite.accountName}, endpoint: "${azurite.blobEndpoint}" }\n    poll: 50ms\n    stop_poll: 100ms`,
        );
      writeFileSync(project.path(FILE), text);
      const gate = project.path("../gate");
      const wait = `[ $epoch = 1 ] || until [ -e '${gate}' ]; do sleep 0.1; done`;
      const script = project.read("chainer-mnist/train.sh").replace(/sleep .*/, wait);
      project.write("chainer-mnist/train.sh", script);
      const flow = project.startRun("-f", FILE);
      const { stdout } = await flow.event("task/started");
      while (!existsSync(stdout) || !readFileSync(stdout, "utf8").includes("epoch 1"))
        await sleep(20);
      writeFileSync(gate, "");
      expect((await flow.ended).code).toBe(0);
      expect(readFileSync(stdout, "utf8")).toBe(
        "training on 2 nodes with logs outputs scripts \nepoch 1 of 3\nepoch 2 of 3\nepoch 3 of 3\n",
      );
      const share = simulator.shareDirectory(
        `https://${azurite.accountName}.file.core.windows.net/logs`,
      );
      const [segment = ""] = readdirSync(`${share}/runs`);
      expect(readFileSync(`${share}/runs/${segment}/stdouterr/stdout.txt`, "utf8")).toContain(
        "epoch 3",
      );
      const listed = await project.run(
        "azure",
        "files",
        "train",
        "-f",
        FILE,
        "--output",
        "MODEL",
        "--json",
      );
      const [model] = JSON.parse(listed.stdout);
      expect(model).toMatchObject({ path: "out/MODEL/model.npz", bytes: 19 });
      expect(await (await fetch(model.url)).text()).toBe("weights of 2 nodes\n");
      const [body] = simulator.exchanges.filter(
        ({ operation }) => operation === "Task_AddCollection",
      );
      expect(JSON.parse(body?.body ?? "{}").value[0].multiInstanceSettings.numberOfInstances).toBe(
        2,
      );
      expect((await project.run("clean", "-f", FILE, "-y")).code).toBe(0);
      await simulator.until(
        "an empty account",
        ({ jobs, pools }) => jobs.length + pools.length === 0,
      );
    },
  );
});
