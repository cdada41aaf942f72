/** A task whose `when` does not hold, and those that need what it makes. */
import { expect, it } from "vitest";
import { projectFolder } from "../project-folder.ts";

const FILE = `params: { wanted: "no" }
tasks:
  a: {when: 'params.wanted == "yes"', targets: [a.txt, b/], actions: ["mkdir b; touch a.txt b/c"]}
  file: {deps: [a.txt], actions: ["true"]}
  inside: {deps: [b/c], actions: ["true"]}
  glob: {deps: ["b/*"], actions: ["true"]}
  order: {after: [a], actions: ["true"]}
`;
const WHY = '`a` makes it, and is skipped because `when: params.wanted == "yes"` does not hold.';

it("is named where its targets are missing, before and during a run", async () => {
  const { flow } = projectFolder({ "flow.yaml": FILE });
  const glob =
    "Nothing matches `b/*`; create what it should match, or mark the dep `optional: true`.";
  expect((await flow("plan")).stdout).toBe(`– skipped     a       not params.wanted == "yes"
✖ cannot run  file    \`a.txt\` does not exist. ${WHY}
✖ cannot run  inside  \`b/c\` does not exist. ${WHY}
✖ cannot run  glob    ${glob} ${WHY}
· run         order   has neither deps nor targets, so it runs every time
1 of 5 tasks would run, 3 cannot, 1 left out; no history to tell how long
`);
  const { code, stderr } = await flow("run", "-k");
  expect(code).toBe(1);
  expect(stderr).toContain(`what     \`a.txt\` does not exist. ${WHY}\n`);
  expect((await flow("run", "-p", "wanted=yes")).code).toBe(0);
});
