import { describe, expect, test } from "vitest";
import { taskId } from "../../src/model/ids.ts";
import type { Dep, Task } from "../../src/model/task.ts";
import { at, dep, task } from "../graph/sketch.ts";
import { Bench, done, root, train } from "./bench.ts";

describe("deps", () => {
  test("one more or one less is a reason, their order is none", async () => {
    const both = task("t", { deps: ["a.csv", "b.csv"], targets: ["model"] });
    const bench = await done(both, { "a.csv": "1", "b.csv": "2", "c.csv": "3" });
    expect(await bench.verdict({ ...both, deps: [...both.deps].reverse() })).toBe("fresh");
    expect(await bench.verdict({ ...both, deps: [dep("a.csv"), dep("c.csv")] })).toEqual([
      "c.csv is a new dep",
      "b.csv is no longer a dep",
    ]);
  });

  test("a glob is expanded now: what comes, goes or changes is named", async () => {
    const all = task("all", { deps: [dep("data/*.csv", { name: "parts" })], targets: ["model"] });
    const bench = await done(all, { "data/a.csv": "1", "data/b.csv": "2", "data/c.txt": "3" });
    expect(await bench.verdict(all)).toBe("fresh");
    bench.remove("data/a.csv");
    bench.write("data/b.csv", "changed");
    bench.write("data/d.csv", "4");
    bench.write("data/c.txt", "does not matter");
    expect(await bench.verdict(all)).toEqual([
      "data/b.csv changed: d4735e3a → d67e2e94",
      "data/d.csv is a new dep",
      "data/a.csv is no longer a dep",
    ]);
    const inspection = await bench.inspect(all);
    expect(inspection).toMatchObject({
      inputs: { expansions: { parts: ["data/b.csv", "data/d.csv"] } },
    });
  });

  test("a glob without a match cannot run, unless it is optional", async () => {
    const bench = new Bench();
    expect(await bench.verdict(task("t", { deps: ["*.csv"] }))).toEqual([
      "Nothing matches `*.csv`; create what it should match, or mark the dep `optional: true`.",
    ]);
    expect(await bench.verdict(task("t", { deps: [dep("*.csv", { optional: true })] }))).toEqual([
      "never succeeded before",
    ]);
  });

  test("a glob over a folder that may not be read cannot run, and says which", async () => {
    const bench = new Bench({ "data/a.csv": "1", "data/deep/b.csv": "2" });
    const list = bench.files.list.bind(bench.files);
    bench.files.list = (path) => {
      if (!path.endsWith("/deep")) return list(path);
      throw Object.assign(new Error("EACCES"), { code: "EACCES", syscall: "scandir", path });
    };
    const all = task("all", { deps: ["data/**/*.csv"] });
    expect(await bench.verdict(all)).toEqual([
      "`data/deep` cannot be read: permission was denied.",
    ]);
  });

  test("an optional dep that comes or goes is a change", async () => {
    const maybe = task("maybe", {
      deps: [dep("extra", { optional: true, name: "extra" })],
      targets: ["model"],
    });
    const bench = await done(maybe, {});
    expect(await bench.verdict(maybe)).toBe("fresh");
    bench.write("extra", "1");
    expect(await bench.verdict(maybe)).toEqual(["extra changed: absent → 6b86b273"]);
  });

  test("a missing dep makes the task impossible, and says which", async () => {
    expect(await new Bench().verdict(train)).toEqual(["`a.csv` does not exist."]);
  });

  test("a directory counts with all it holds, and without what is ignored", async () => {
    const all = task("all", { deps: ["data/"], targets: ["model"] });
    const bench = await done(all, { "data/a": "1", "data/deep/b": "2" });
    bench.write("data/__pycache__/x.pyc", "bytecode");
    bench.write("data/deep/x.pyc", "bytecode");
    bench.write("data/.git/HEAD", "ref");
    expect(await bench.verdict(all)).toBe("fresh");
    const changes: readonly (readonly [() => void, RegExp])[] = [
      [() => bench.write("data/deep/b", "3"), /^data\/deep\/b changed: d4735e3a → 4e074085$/],
      [() => bench.write("data/deep/c", "1"), /^data\/deep\/c is new: 6b86b273$/],
      [() => bench.remove("data/deep/c"), /^data\/deep\/c is gone, was 6b86b273$/],
      [() => bench.files.makeDirectory(`${root}/data/empty`), /^data changed: \w{8} → \w{8}$/],
      [() => void bench.files.link(`${root}/data/link`, "a"), /^data\/link is new: 6b86b273$/],
    ];
    for (const [change, words] of changes) {
      await bench.run(all);
      expect(await bench.verdict(all)).toBe("fresh");
      change();
      expect(await bench.verdict(all)).toEqual([expect.stringMatching(words)]);
    }
    expect(await bench.verdict(all, { ignore: ["data/deep/", "link", "empty"] })).not.toBe("fresh");
  });

  test("a directory in which one file changed costs reading that file", async () => {
    const all = task("all", { deps: ["data/"], targets: ["model"] });
    const bench = await done(all, { "data/a": "1", "data/b": "2", "data/c": "3" });
    bench.write("data/b", "changed");
    bench.read.length = 0;
    expect(await bench.verdict(all)).toHaveLength(1);
    expect(bench.read).toEqual(["data/b"]);
  });

  test("of many changed files in a directory some are named, after the directory", async () => {
    const all = task("all", { deps: ["data/"], targets: ["model"] });
    const names = ["a", "b", "c", "d", "e", "f", "g", "__proto__"];
    const bench = await done(all, Object.fromEntries(names.map((name) => [`data/${name}`, "1"])));
    for (const name of names) bench.write(`data/${name}`, "2");
    const verdict = await bench.verdict(all);
    expect(verdict).toHaveLength(6);
    expect(verdict[0]).toMatch(/^data changed: /);
    expect(verdict[1]).toBe("data/__proto__ changed: 6b86b273 → d4735e3a");
    bench.write(".flow/cache/trees", "damaged\t{\n\0");
    expect(await bench.verdict(all)).toEqual([expect.stringMatching(/^data changed: /)]);
  });

  test("links in a directory count by what they lead to, and loops end", async () => {
    const all = task("all", { deps: ["data/"], targets: ["model"] });
    const bench = new Bench({ "data/a": "1", "store/v1": "one", "dir/x": "1" });
    bench.files.link(`${root}/data/file`, "../store/v1");
    bench.files.link(`${root}/data/folder`, "../dir");
    bench.files.link(`${root}/data/loop`, "..");
    bench.files.link(`${root}/data/nowhere`, "gone");
    bench.remove("data/loop");
    bench.files.link(`${root}/data/loop`, ".");
    await bench.run(all, () => bench.write("model", "m"));
    expect(await bench.verdict(all)).toBe("fresh");
    for (const path of ["store/v1", "dir/x"]) {
      bench.write(path, "changed");
      expect(await bench.verdict(all)).not.toBe("fresh");
      await bench.run(all);
    }
  });

  test("with keys only those values of a file count, in YAML and in JSON", async () => {
    const keys = (path: string): Dep => ({
      ...dep("x"),
      kind: "keys",
      path,
      keys: ["train.lr", "seed"],
    });
    const t = task("t", { deps: [keys("p.yaml"), keys("p.json")], targets: ["model"] });
    const json = (lr: number, more: string): string =>
      JSON.stringify({ train: { lr }, seed: 1, more });
    const bench = await done(t, {
      "p.yaml": "train: {lr: 0.1}\nseed: 1\n",
      "p.json": json(0.1, ""),
    });
    bench.write("p.yaml", "# comment\nother: 3\ntrain:\n  lr: 0.1\nseed: 1\n");
    bench.write("p.json", json(0.1, "more"));
    expect(await bench.verdict(t)).toBe("fresh");
    bench.write("p.yaml", "train: {lr: 0.01}\nseed: 1\n");
    bench.write("p.json", json(0.2, "more"));
    expect(await bench.verdict(t)).toEqual([
      "p.yaml: train.lr changed: 0.1 → 0.01",
      "p.json: train.lr changed: 0.1 → 0.2",
    ]);
    bench.write("p.yaml", "train: {}\n");
    bench.write("p.json", "{");
    const problems = await bench.verdict(t);
    expect(problems[0]).toBe("`p.yaml` has no key `seed`.");
    expect(problems[1]).toMatch(/^`p\.json` cannot be parsed: /);
  });

  test("`check: size` and `check: mtime` look no further", async () => {
    const only = (check: "mtime" | "size"): Dep => ({ ...dep("a.csv"), check }) as Dep;
    const bySize = task("bySize", { deps: [only("size")], targets: ["s"] });
    const byTime = task("byTime", { deps: [only("mtime")], targets: ["m"] });
    const bench = new Bench({ "a.csv": "12" });
    await bench.run(bySize, () => bench.write("s", "s"));
    await bench.run(byTime, () => bench.write("m", "m"));
    bench.read.length = 0;
    bench.write("a.csv", "34");
    expect(await bench.verdict(bySize)).toBe("fresh");
    expect(await bench.verdict(byTime)).toHaveLength(1);
    bench.write("a.csv", "345");
    expect(await bench.verdict(bySize)).toEqual(["a.csv (size) changed: size:2 → size:3"]);
    expect(bench.read.filter((path) => path === "a.csv")).toEqual([]);
  });

  test("a dep that changed while the task ran makes it stale, even when it changed back", async () => {
    for (const after of ["2", "1"]) {
      const bench = new Bench({ "a.csv": "1" });
      await bench.run(train, () => {
        bench.write("model", "m");
        bench.write("a.csv", "2");
      });
      bench.write("a.csv", after);
      expect(await bench.verdict(train)).toContain("a.csv changed while the task ran");
    }
  });

  test("a dep that was only touched while the task ran did not change", async () => {
    const bench = new Bench({ "a.csv": "1" });
    await bench.run(train, () => {
      bench.write("model", "m");
      bench.touch("a.csv");
    });
    expect(await bench.verdict(train)).toBe("fresh");
  });
});

describe("values", () => {
  const use = (key: string | undefined, gathered = false): Task => ({
    ...task("use", { targets: ["report"] }),
    uses: [
      {
        name: "lr",
        from: [taskId("search"), ...(gathered ? [taskId("other")] : [])],
        gathered,
        key,
        span: at(0),
      },
    ],
  });

  test("a used value counts, other keys of the same file do not", async () => {
    const bench = await done(use("best.lr"), { "search.json": '{"best": {"lr": 0.1}, "time": 5}' });
    bench.write("search.json", '{"time": 9, "best": {"lr": 0.1}}');
    expect(await bench.verdict(use("best.lr"))).toBe("fresh");
    bench.write("search.json", '{"best": {"lr": 0.3}}');
    expect(await bench.verdict(use("best.lr"))).toEqual(["value lr changed: 0.1 → 0.3"]);
  });

  test("gathered values are an object by member", async () => {
    const bench = new Bench({ "search.json": '{"a": 1}', "other.json": '{"a": 2}' });
    const inspection = await bench.inspect(use("a", true));
    expect(inspection).toMatchObject({ inputs: { values: { lr: { search: 1, other: 2 } } } });
  });

  test("what cannot be read is said", async () => {
    const bench = new Bench({});
    const problem = (text: string): readonly string[] => [
      `Value \`lr\` of \`search\` cannot be used: ${text}.`,
    ];
    expect(await bench.verdict(use("x"))).toEqual(problem("`search.json` does not exist"));
    bench.write("search.json", "{");
    expect(await bench.verdict(use("x"))).toEqual(problem("`search.json` is not JSON"));
    bench.write("search.json", '{"y": 1}');
    expect(await bench.verdict(use("__proto__"))).toEqual(
      problem("`search.json` has no key `__proto__`"),
    );
  });

  test("a task that saves values must leave the file, and runs again when it is gone", async () => {
    const search: Task = { ...task("search", { deps: ["a.csv"] }), values: "search.json" };
    const bench = new Bench({ "a.csv": "1" });
    expect((await bench.run(search)).map(({ message }) => message)).toEqual([
      "Target `search.json` was not made.",
    ]);
    await bench.run(search, () => bench.write("search.json", "{}"));
    expect(await bench.verdict(search)).toBe("fresh");
    bench.remove("search.json");
    expect(await bench.verdict(search)).toEqual(["search.json is missing"]);
  });
});
