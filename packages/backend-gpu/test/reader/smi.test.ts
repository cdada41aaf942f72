/** Reading through `nvidia-smi`: its lines, and a stand-in of the program that stalls or dies. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "@flow/core";
import { describe, expect, it, vi } from "vitest";
import { openSmi } from "../../src/reader/smi.ts";
import { parseApp, parseGpu } from "../../src/reader/smi-lines.ts";

const ID = "GPU-1b2c3d4e-0000-1111-2222-333344445555";
const MIB = 2 ** 20;

describe("lines of nvidia-smi", () => {
  it("are read as amounts in MiB and percent", () => {
    const line = `1, ${ID}, NVIDIA RTX A5000, 24564, 315, 8042, 37, Default, [N/A]`;
    expect(parseGpu(line)).toEqual({
      gpu: {
        id: ID,
        index: 1,
        model: "NVIDIA RTX A5000",
        capacityBytes: (24_564 - 315) * MIB,
        single: false,
        unusable: undefined,
        group: "bridge of GPU 1",
      },
      usedBytes: 8042 * MIB,
      load: 0.37,
      lost: undefined,
    });
  });

  it.each(["[N/A]", "[Not Supported]", "N/A", "[Unknown Error]"])(
    "say with `%s` that something is not known",
    (word) => {
      const row = parseGpu(
        `0, ${ID}, Tesla T4, 15360, ${word}, ${word}, ${word}, Default, ${word}`,
      );
      expect(row).toMatchObject({ usedBytes: undefined, load: undefined });
      expect(row?.gpu.capacityBytes).toBe(15_360 * MIB);
    },
  );

  it("tell modes in which a GPU is not shared or not usable", () => {
    const line = (mode: string, mig: string): string =>
      `0, ${ID}, A100, 40960, 0, 0, 0, ${mode}, ${mig}`;
    expect(parseGpu(line("Exclusive_Process", "Disabled"))?.gpu.single).toBe(true);
    expect(parseGpu(line("Prohibited", "Disabled"))?.gpu.unusable).toBe(
      "its compute mode is PROHIBITED",
    );
    expect(parseGpu(line("Default", "Enabled"))?.gpu.unusable).toBe(
      "it is divided by MIG, and instances cannot be shared yet; nothing is put on it",
    );
    expect(parseGpu(`0, ${ID}, A100, 40960, 0, ERR!, ERR!, Default, Disabled`)?.lost).toBe(
      "nvidia-smi reports an error of it",
    );
  });

  it("that are no rows are left out", () => {
    for (const line of [
      "",
      "No devices were found",
      "NVIDIA-SMI has failed because it couldn't communicate",
    ]) {
      expect(parseGpu(line)).toBeUndefined();
      expect(parseApp(line)).toBeUndefined();
    }
  });

  it("name processes, whose memory may not be known", () => {
    expect(parseApp(`${ID}, 4242, 1034`)).toEqual({
      id: ID,
      process: { pid: 4242, bytes: 1034 * MIB },
    });
    expect(parseApp(`${ID}, 4243, [N/A]`)).toEqual({
      id: ID,
      process: { pid: 4243, bytes: undefined },
    });
    expect(
      parseApp(`${ID}, 4244, Not available in WDDM driver model`)?.process.bytes,
    ).toBeUndefined();
  });
});

describe("nvidia-smi as a source", () => {
  async function withSmi<T>(
    script: string,
    test: (env: Record<string, string>) => Promise<T>,
  ): Promise<T> {
    const folder = mkdtempSync(join(tmpdir(), "flow-smi-"));
    const path = join(folder, "nvidia-smi");
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    try {
      return await test({ PATH: `${folder}:${process.env["PATH"]}` });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  const gpu = `0, ${ID}, Tesla T4, 15360, 400, 1034, 5, Default, [N/A]`;

  it("answers from one program that goes on printing", () =>
    withSmi(
      `case $1 in *query-gpu*) echo '${gpu}' ;; *) echo '${ID}, 4242, 1034' ;; esac\nexec sleep 60`,
      async (env) => {
        const opened = await openSmi({ env, log: silentLog });
        if (!opened.ok) throw new Error(opened.error);
        const reader = opened.value;
        expect(reader.gpus.map(({ index, model }) => [index, model])).toEqual([[0, "Tesla T4"]]);
        await expect
          .poll(async () => (await reader.read())[0]?.processes, { timeout: 60_000 })
          .toEqual([{ pid: 4242, bytes: 1034 * MIB }]);
        expect((await reader.read())[0]).toMatchObject({
          usedBytes: 1034 * MIB,
          load: 0.05,
          lost: undefined,
        });
        await reader[Symbol.asyncDispose]();
      },
    ));

  it("says when there is no driver", () =>
    withSmi(
      "echo 'NVIDIA-SMI has failed because it could not communicate with the driver'; exit 9",
      async (env) => {
        expect(await openSmi({ env, log: silentLog })).toEqual({
          ok: false,
          error: "nvidia-smi lists no GPU",
        });
      },
    ));

  it("leaves nothing behind where there is no driver", () =>
    withSmi("exit 9", async (env) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      try {
        expect(await openSmi({ env, log: silentLog })).toEqual({
          ok: false,
          error: "nvidia-smi ended with code 9",
        });
        expect(vi.getTimerCount()).toBe(0);
      } finally {
        vi.useRealTimers();
      }
    }));

  it("goes on when the program has ended", () =>
    withSmi(
      `case $1 in *query-gpu*) ;; *) exec sleep 60 ;; esac\necho >> $0.starts\nif [ $(wc -l < $0.starts) = 1 ]; then echo '${gpu}'; else echo '${gpu.replace("1034", "2068")}'; exec sleep 60; fi`,
      async (env) => {
        const opened = await openSmi({ env, log: silentLog });
        if (!opened.ok) throw new Error(opened.error);
        const used = async (): Promise<number | undefined> =>
          (await opened.value.read())[0]?.usedBytes;
        await expect.poll(used, { timeout: 60_000 }).toBe(2068 * MIB);
        await opened.value[Symbol.asyncDispose]();
      },
    ));

  it("says when there is no such program", async () => {
    const opened = await openSmi({ env: { PATH: "/nowhere" }, log: silentLog });
    expect(opened).toEqual({ ok: false, error: "nvidia-smi was not found on PATH" });
  });
});
