import { constants } from "node:os";
import { afterEach, expect, it, vi } from "vitest";
import type { ProcessInfo, ProcessTable } from "../../src/process/table.ts";
import { type Asked, newAsked, signalPrograms } from "../../src/process/terminate.ts";

interface Seen extends Partial<ProcessInfo> {
  readonly program?: string;
  readonly handles?: boolean;
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** Asks the programs below process 1 to stop at each of these looks; gives who was signalled at each. */
function told(...looks: readonly Readonly<Record<number, Seen>>[]): readonly (readonly number[])[] {
  const asked: Asked = newAsked();
  return looks.map((look) => {
    const sent: number[] = [];
    vi.spyOn(process, "kill").mockImplementation((pid) => {
      sent.push(pid);
      return true;
    });
    const list = Object.entries(look).map(
      ([pid, { program: _program, handles: _handles, ...seen }]): ProcessInfo => ({
        pid: Number(pid),
        parent: 1,
        group: 1,
        session: 1,
        start: `9${pid}`,
        zombie: false,
        forked: false,
        ...seen,
      }),
    );
    const table: Pick<ProcessTable, "list" | "program" | "handles"> = {
      list: () => list,
      program: (pid) => look[pid]?.program ?? "python3",
      handles: (pid, signal) => signal === constants.signals.SIGTERM && look[pid]?.handles === true,
    };
    signalPrograms(1, "SIGTERM", table as ProcessTable, asked);
    return sent;
  });
}

const shell: Seen = { program: "dash" };

it("a program is signalled once", () => {
  expect(told({ 2: {} }, { 2: {} }, { 2: {} })).toEqual([[2], [], []]);
  expect(told({ 2: { ...shell, handles: true }, 3: { parent: 2 } })).toEqual([[2]]);
});

it("a copy of the leader is not signalled before it has become the program", () => {
  const copy: Seen = { ...shell, handles: true, forked: true };
  expect(told({ 2: copy }, { 2: copy }, { 2: { handles: true } })).toEqual([[], [], [2]]);
});

it("what runs below a shell is signalled, also what it starts later", () => {
  expect(told({ 2: shell, 3: { parent: 2 } }, { 2: shell, 4: { parent: 2 } })).toEqual([[3], [4]]);
  expect(
    told({ 2: shell, 3: { parent: 2, zombie: true } }, { 2: shell, 4: { parent: 2 } }),
  ).toEqual([[], [4]]);
});

it("a shell without a child is given the time to leave with the code of its last one", () => {
  expect(told({ 2: shell, 3: { parent: 2 } }, { 2: shell }, {})).toEqual([[3], [], []]);
  expect(told({ 2: shell }, { 2: shell }, { 2: shell })).toEqual([[], [2], []]);
});
