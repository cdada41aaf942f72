import { describe, expect, it } from "vitest";
import { expand } from "../../src/sub/expand.ts";

const lines = (...argv: readonly string[]): readonly string[] | string => {
  const found = expand(argv);
  return typeof found === "string" ? found : found.map((one) => one.argv.join(" "));
};

describe("expand", () => {
  it("gives the product of what varies, in written order", () => {
    expect(lines("python", "main.py", "optimizer.lr=10.,1.", "seed=1..2")).toEqual([
      "python main.py optimizer.lr=10. seed=1",
      "python main.py optimizer.lr=10. seed=2",
      "python main.py optimizer.lr=1. seed=1",
      "python main.py optimizer.lr=1. seed=2",
    ]);
  });

  it.each([
    ["+new=1,2", ["+new=1", "+new=2"]],
    ["--lr=0.1,0.01", ["--lr=0.1", "--lr=0.01"]],
    ["--lr=[.01, .03]", ["--lr=.01", "--lr=.03"]],
    ["layers=[1, 2],[3]", ["layers=[1, 2]", "layers=[3]"]],
    ["layers=[1, 2]", ["layers=[1, 2]"]],
    ["name='a,b'", ["name='a,b'"]],
    ["name=a\\,b", ["name=a\\,b"]],
    ["--name=a\\,b", ["--name=a,b"]],
    ["f=choice(1,2)", ["f=choice(1,2)"]],
    ["seed=3..3", ["seed=3"]],
    ["data,train", ["data,train"]],
    ["url=http://x/?a=1", ["url=http://x/?a=1"]],
    ["--flag", ["--flag"]],
    ["empty=", ["empty="]],
  ])("%s", (argument, found) => {
    expect(lines("p", argument)).toEqual(found.map((text) => `p ${text}`));
  });

  it("says what it cannot expand", () => {
    expect(lines("p", "lr=1,,2")).toBe(
      "a value is empty in `lr=1,,2`; take the comma away, or write `\\,` for one that belongs to the value",
    );
    expect(lines("p", "seed=5..1")).toBe("the range `5..1` is empty or too long");
    expect(lines("p", "a=1..1000", "b=1..1000")).toBe("`b=1..1000` makes more than 100000 jobs");
  });
});
