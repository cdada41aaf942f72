// `flow list [SEL…]`: the tasks of the file, a matrix as one line.

import type { Task } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { openProject } from "../project.ts";
import { type Paint, paintFor } from "../report/color.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { type Cell, table } from "../report/table.ts";

/** A line of the list: a template with its members, or one member. */
interface Row {
  readonly name: string;
  readonly first: Task;
  readonly desc: string;
  readonly size: number;
}

export const command: Command = async (invocation, io) => {
  const project = await openProject(invocation, io);
  if (!project.ok) return project.error;
  const { graph, selection } = project.value;
  const isWhole = invocation.positionals.length === 0;
  const indices = isWhole ? graph.tasks.keys() : selection.asked;
  const found = [...indices].flatMap((index) => graph.tasks[index] ?? []);
  const showsHidden = invocation.has("all") || !isWhole;
  const tasks = found.filter(({ hidden }) => showsHidden || !hidden);
  if (invocation.has("json")) {
    io.stdout.write(`${JSON.stringify(tasks.map(listJson), null, 2)}\n`);
    return EXIT.ok;
  }
  const rows = invocation.has("expand") ? tasks.map(member) : templates(tasks);
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  io.stdout.write(
    table(
      rows.map((row) => cells(row, paint)),
      io.stdout.columns,
    ),
  );
  return EXIT.ok;
};

const member = (task: Task): Row => ({
  name: task.id,
  first: task,
  desc: task.desc ?? "",
  size: 1,
});

function templates(tasks: readonly Task[]): readonly Row[] {
  const groups = new Map<string, Task[]>();
  for (const task of tasks) {
    const group = groups.get(task.template);
    if (group === undefined) groups.set(task.template, [task]);
    else group.push(task);
  }
  return [...groups].flatMap(([name, members]) => {
    const [first] = members;
    const desc = commonWords(members.map((task) => task.desc ?? ""));
    return first === undefined ? [] : { name, first, desc, size: members.length };
  });
}

/** The words all texts have in the same place, `…` for the others: what a matrix is described by. */
function commonWords(texts: readonly string[]): string {
  const [first = [], ...others] = texts.map((text) => text.split(" "));
  const words = first.map((word, place) =>
    others.every((other) => other[place] === word) ? word : "…",
  );
  return words.join(" ");
}

function cells({ name, first, size, desc }: Row, paint: Paint): readonly Cell[] {
  const axes = Object.keys(first.axes).join(", ");
  const tags = first.tags.map((tag) => `#${tag}`).join(" ");
  const text = [desc, tags].filter((part) => part !== "").join("  ");
  return [
    { text: name },
    { text: size > 1 ? `×${size} ${axes}` : "", paint: (part) => paint("dim", part) },
    { text: sanitizeLine(text) },
  ];
}

const listJson = ({
  id,
  template,
  axes,
  desc,
  tags,
  aliases,
  hidden,
  file,
  backend,
  targets,
}: Task) => ({
  id,
  template,
  axes,
  desc,
  tags,
  aliases,
  hidden,
  file,
  backend,
  targets: targets.map(({ path }) => path),
});
