// `flow gpu top`: the status, again every second.

import { EXIT } from "../exit-codes.ts";
import { statusLines } from "./status.ts";
import { askBroker, type GpuVerb, outside } from "./verb.ts";

const INTERVAL_MS = 1000;

export const verb: GpuVerb = async (_args, io) => {
  let leave: () => void = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  let isLeft = false;
  const release = io.onSignal(() => {
    isLeft = true;
    leave();
  });
  let height = 0;
  while (!isLeft) {
    const answer = await askBroker(io, { m: "status" }, "status");
    if (!answer.ok) {
      release();
      return outside(io, answer.error);
    }
    const lines = statusLines(answer.value);
    // The lines of the time before are written over, not scrolled away.
    if (io.stdout.isTTY && height > 0) io.stdout.write(`\x1b[${height}F\x1b[J`);
    io.stdout.write(lines.map((line) => `${line}\n`).join(""));
    height = lines.length;
    let timer: NodeJS.Timeout | undefined;
    const pause = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, INTERVAL_MS);
    });
    await Promise.race([pause, left]);
    clearTimeout(timer);
  }
  release();
  return EXIT.ok;
};
