// The verbs that look after places where tasks run: data only.

import type { CommandRow } from "./command-row.ts";
import { JSON_OPTION, PROJECT, YES } from "./option-rows.ts";

const MANY = Number.POSITIVE_INFINITY;

export const PLACE_ROWS: readonly CommandRow[] = [
  {
    name: "gpu",
    group: "run",
    summary: "share this machine's GPUs with any program",
    positionals: "VERB [ARG…]",
    arity: [0, MANY],
    passThrough: true,
    options: [],
    details:
      '`run -- COMMAND` or `run "COMMAND" "COMMAND"` runs commands on leased GPUs: --mem, --gpus, ' +
      "--model, --load, --type NAME, --ids uuid|index, --alone, --retries N, --own-lease. `start` " +
      "starts the broker (--foreground, --careful, --idle TIME|never, --group NAME), which otherwise starts when " +
      "it is needed, `stop` ends it. `status` (--json) and `top` show cards, leases and why others " +
      "wait, `profile` (list, export, import FILE, forget KEY) what was learned. `drain GPU` and " +
      "`undrain GPU` take a GPU out of service and back; `doctor` says what can be seen.",
    examples: ["flow gpu run --mem 6GiB -- python train.py", "flow gpu top"],
  },
  {
    name: "azure",
    group: "run",
    summary: "look after what the project has in Azure Batch",
    positionals: "VERB [ARG…]",
    arity: [1, MANY],
    options: [
      ...PROJECT,
      { name: "backend", value: "NAME", help: "which backend, if the flow file has several" },
      { name: "nodes", value: "N", help: "`pool create`, `pool resize`: number of nodes" },
      { name: "vm-size", value: "SIZE", help: "`pool create`: size of the nodes" },
      { name: "low", help: "`pool create`, `pool resize`: low-priority nodes" },
      { name: "slots", value: "N", help: "`pool create`: tasks at once on a node" },
      {
        name: "image",
        value: "IMAGE",
        multiple: true,
        help: "`pool create`: a container image to fetch; with it tasks of the pool are containers",
      },
      { name: "output", value: "ID", help: "`files`: only those of this named output" },
      { name: "get", value: "FILE", help: "`files`: print one of them, wherever it lies" },
      YES,
      JSON_OPTION,
    ],
    details:
      "`pool list` shows all pools of the account, `pool create NAME --nodes N` makes one that stays, " +
      "`pool resize NAME --nodes N` and `pool delete NAME` do what they say. `nodes POOL` shows the " +
      "nodes, `nodes POOL NODE` what the start command printed there. `files TASK` lists what its " +
      "latest attempt has on its node or, once it has ended, here, and with links that end in an hour " +
      "on the state mount. `gc` removes jobs, pools and storage that flow made for the project and no run uses any more.",
    examples: ["flow azure pool list", "flow azure files train@seed=1", "flow azure gc"],
  },
];
