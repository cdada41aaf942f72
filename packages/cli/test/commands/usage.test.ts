/** What is wrong with a command line is said at once, whether or not a task would have noticed. */
import { describe, expect, it } from "vitest";
import { projectFolder } from "../project-folder.ts";

const wrong = (message: string) => ({ code: 2, stdout: "", stderr: `flow: ${message}\n` });
const FILE = {
  "flow.yaml": `backends:
  cluster: {type: slurm}
tasks:
  a: {targets: [a.txt], actions: ["echo a > a.txt"]}
`,
};

describe("a wrong list of GPUs", () => {
  it.each([[["run"]], [["exec", "--", "true"]], [["drill", "a"]]])(
    "is refused by %j",
    async ([verb = "", ...rest]) => {
      const { flow } = projectFolder(FILE);
      expect(await flow(verb, "--gpus", "x", ...rest)).toEqual(
        wrong("--gpus takes `none`, a GPU, or a list such as `0,1`, not `x`"),
      );
    },
  );

  it("is refused also when nothing is to do, like every other wrong value", async () => {
    const { flow } = projectFolder(FILE);
    expect((await flow("run")).code).toBe(0);
    expect((await flow("run")).stderr).toContain("nothing to do");
    expect((await flow("run", "--gpus", "0,x")).code).toBe(2);
    expect(await flow("run", "-n", "many")).toEqual(
      wrong("-n takes a whole number above 0, not `many`"),
    );
  });
});

describe("a backend that nobody has", () => {
  it("is an error of usage that names those there are", async () => {
    const { flow } = projectFolder(FILE);
    for (const verb of ["run", "plan"]) {
      expect(await flow(verb, "--backend", "nope")).toEqual({
        code: 2,
        stdout: "",
        stderr: `error: there is no backend \`nope\` [unknown-backend]
  fix: Declare it under \`backends:\`. There is: cluster, local, gpu, slurm, azure-batch.
`,
      });
    }
    expect((await flow("run", "--backend", "clster")).stderr).toBe(
      "error: there is no backend `clster` [unknown-backend]\n  fix: Did you mean `cluster`?\n",
    );
  });

  it.each([[["exec", "--", "true"]], [["drill", "a"]]])(
    "may be a package where there is no flow file to declare it: %j",
    async ([verb = "", ...rest]) => {
      const { flow, path } = projectFolder(FILE);
      expect(await flow(verb, "--backend", "nope", ...rest)).toEqual(
        wrong(
          `the backend \`nope\` cannot be used: it is none of local, gpu, slurm, azure-batch, and there is no package \`nope\` to be found from ${path}; run npm install there.`,
        ),
      );
    },
  );
});

describe("a backend that needs options", () => {
  const issues =
    "`endpoint`: Expected an https:// address, such as `https://myaccount.westeurope.batch.azure.com`. `storage`: Expected the storage account, as in `{ account: mystorage }`.";

  it.each(["run", "plan"])("cannot be used by its bare name: flow %s", async (verb) => {
    const { flow } = projectFolder(FILE);
    expect(await flow(verb, "--backend", "azure-batch")).toEqual({
      code: 2,
      stdout: "",
      stderr: `error: the backend \`azure-batch\` cannot be used without options. ${issues} [backend-options]
  fix: Write backends: {azure-batch: {type: azure-batch, endpoint: …, storage: …}} at the top of the flow file.
`,
    });
  });

  it("is pointed to at the task that names it, and other backends can take the task", async () => {
    const { flow } = projectFolder({
      "flow.yaml": "tasks:\n  a: {backend: azure-batch, actions: ['true']}\n",
    });
    expect(
      (await flow("check")).stderr,
    ).toBe(`flow.yaml:2:3: error: the backend \`azure-batch\` cannot be used without options. ${issues} [backend-options]
  2 |   a: {backend: azure-batch, actions: ['true']}
    |   ^
  fix: Write backends: {azure-batch: {type: azure-batch, endpoint: …, storage: …}} at the top of the flow file.
`);
    expect((await flow("run", "--backend", "local")).code).toBe(0);
  });

  it("may be meant under the name of a declaration, which has to be whole", async () => {
    const cloud =
      "{type: azure-batch, endpoint: 'https://myaccount.westeurope.batch.azure.com', storage: {account: mystorage}, vm_size: standard_d2s_v3}";
    const file = (options: string): string =>
      `backends:\n  cloud: ${options}\ntasks:\n  a: {actions: ['true']}\n`;
    const whole = projectFolder({ "flow.yaml": file(cloud) });
    const { code, stderr } = await whole.flow("plan", "--backend", "azure-batch");
    expect(code).toBe(2);
    expect(stderr).toContain("fix: Did you mean `cloud`, which is declared with this type?\n");
    const bare = projectFolder({ "flow.yaml": file("{type: azure-batch}") });
    expect(await bare.flow("run", "--backend", "cloud")).toMatchObject({
      code: 2,
      stderr: `flow.yaml:2:10: error: ${issues.replaceAll(/`(endpoint|storage)`/g, "`backends.cloud.$1`")} [backend-options]
  2 |   cloud: {type: azure-batch}
    |          ^^^^^^^^^^^^^^^^^^^
`,
    });
  });

  it("several things wrong with them make a list where there is no flow file", async () => {
    const { flow } = projectFolder(FILE);
    expect(await flow("exec", "--backend", "azure-batch", "--", "true")).toMatchObject({
      code: 2,
      stderr: `flow: the backend \`azure-batch\` cannot be used:
  endpoint: Expected an https:// address, such as \`https://myaccount.westeurope.batch.azure.com\`.
  storage: Expected the storage account, as in \`{ account: mystorage }\`.
`,
    });
  });
});

describe("a file or folder that is not there, or not what it should be,", () => {
  it("is said in words", async () => {
    const { flow, path } = projectFolder({ ...FILE, "folder/x": "" });
    for (const verb of ["run", "status", "runs"]) {
      expect(await flow(verb, "-C", "nowhere")).toEqual(
        wrong("`-C nowhere`: there is no such folder."),
      );
    }
    expect(await flow("-C", "folder/x", "exec", "--", "ls")).toEqual(
      wrong("`-C folder/x`: there is no such folder."),
    );
    expect((await flow("run", "-f", "folder")).stderr).toBe(
      "error: the flow file `folder` cannot be read: it is a folder [no-flow-file]\n",
    );
    expect((await flow("import", "nowhere.json")).stderr).toBe(
      "flow: `nowhere.json` cannot be read: it does not exist\n",
    );
    expect((await flow("gpu", "profile", "import", "folder")).stderr).toBe(
      `flow: ${path}/folder cannot be read: it is a folder\n`,
    );
  });
});

it("a task that has written nothing is said to have written nothing", async () => {
  const { flow } = projectFolder(FILE);
  await flow("run");
  expect(await flow("logs", "a")).toEqual({
    code: 0,
    stdout: "",
    stderr: "flow: a has written nothing\n",
  });
  expect((await flow("accept", "a")).stderr).toBe("accepted 1 task as it is\n");
});

it("what a flow file is warned about is said by those who check, plan and run", async () => {
  const { flow } = projectFolder({
    "flow.yaml": `tasks:
  a: {matrix: {n: 1..2}, metrics: {json: end.json}, actions: ["true"]}
`,
  });
  const warning = `flow.yaml:2:35: warning: \`a@n=2\` and another member of \`a\` read their metrics from \`end.json\`, each also those of the other [shared-metrics]
  2 |   a: {matrix: {n: 1..2}, metrics: {json: end.json}, actions: ["true"]}
    |                                   ^^^^^^^^^^^^^^^^
  fix: Write the axes of the matrix in the path, so that each has its own.
`;
  for (const verb of ["check", "plan", "run"]) expect((await flow(verb)).stderr).toContain(warning);
  for (const verb of ["list", "status", "history", "runs", "cancel"])
    expect((await flow(verb)).stderr).not.toContain("warning");
});
