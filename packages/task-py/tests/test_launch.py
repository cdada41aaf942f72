"""launch: configuration, overrides, log directories, checkpoints that resume."""

import json
import os
import unittest

from rig import ScriptCase

CONFIG = """\
# options
seed: 0
num_epoch: 3
model:
 num_units: 100
data:
 device: 'cpu'   # where
optimizer:
 lr: 10.
 betas: [0.9, 1e-3]
"""

PROGRAM = """\
import sys
import flow_task as flow

@flow.launch(config_path="./configs")
def main(ctx):
    try:
        start = ctx.logger.load_checkpoint(log_name="last_ckpt")["epoch"] + 1
    except flow.CheckpointNotFound:
        start = 0
    print(ctx.info.logger.log_id, ctx.config.optimizer.lr, ctx.config.seed, start)
    for epoch in range(start, ctx.config.num_epoch):
        ctx.logger.log_metrics({"loss": 1 / (epoch + 1), "epoch": epoch}, log_name="train")
        ctx.logger.log_checkpoint({"epoch": epoch}, log_name="last_ckpt.pkl")
        if ctx.config.get("fail") == epoch:
            sys.exit(75 if ctx.config.get("requeue") else 1)

if __name__ == "__main__":
    main()
"""


class LaunchTest(ScriptCase):
    def setUp(self):
        super().setUp()
        self.write("configs/config.yaml", CONFIG)
        self.write("main.py", PROGRAM)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def launch(self, *arguments, **variables):
        code = f"""
        import runpy
        sys.argv = ["main.py", *{list(arguments)!r}]
        sys.path.insert(0, os.getcwd())
        runpy.run_path({self.path("main.py")!r}, run_name="__main__")
        """
        return self.run_script(code, **(variables or self.without_flow()))

    def lines(self, *arguments, **variables):
        status, out, err = self.launch(*arguments, **variables)
        self.assertEqual((status, err), (0, ""), out)
        return out.splitlines()

    def test_a_run_leaves_the_directory_that_mlxp_reads(self):
        self.assertEqual(self.lines(), ["1 10.0 0 0"])
        files = sorted(
            os.path.relpath(os.path.join(folder, name), self.path("logs"))
            for folder, _, names in os.walk(self.path("logs"))
            for name in names
        )
        self.assertEqual(
            files,
            [
                "1/artifacts/.keys/artifacts.yaml",
                "1/artifacts/pickle/last_ckpt.pkl",
                "1/metadata/config.yaml",
                "1/metadata/info.yaml",
                "1/metadata/mlxp.yaml",
                "1/metrics/.keys/train.yaml",
                "1/metrics/train.json",
            ],
        )
        rows = [json.loads(line) for line in self.read("logs/1/metrics/train.json").splitlines()]
        self.assertEqual(rows[1], {"loss": 0.5, "epoch": 1})
        self.assertEqual(self.read("logs/1/metrics/.keys/train.yaml"), 'loss: ""\nepoch: ""\n')
        self.assertEqual(self.read("logs/1/artifacts/.keys/artifacts.yaml"), 'pickle:\n  "":\n    last_ckpt.pkl: ""\n')
        self.assertIn("  lr: 10.0\n  betas: [0.9, 0.001]\n", self.read("logs/1/metadata/config.yaml"))
        self.assertIn("\nstatus: COMPLETE\n", self.read("logs/1/metadata/info.yaml"))

    def test_overrides_are_one_run_for_each_combination(self):
        self.assertEqual(
            self.lines("optimizer.lr=10.,1.", "seed=1..2"),
            ["1 10.0 1 0", "2 10.0 2 0", "3 1.0 1 0", "4 1.0 2 0"],
        )
        self.assertEqual(self.lines("optimizer.lr=choice(1e-3,2)", "seed=range(3,5)")[0], "5 0.001 3 0")

    def test_literals_keep_their_kind(self):
        code = "ctx.config.update(a=1); print(ctx.config.lr, ctx.config.l, ctx.config.s, ctx.config.m.x, ctx.config.c)"
        self.write("configs/config.yaml", "")
        self.write("main.py", f"import flow_task as flow\n@flow.launch('configs')\ndef main(ctx):\n    {code}\nmain()\n")
        self.assertEqual(
            self.lines("+lr=10.", "+l=[1, 2.]", "+s='1,2'", "+m.x={z: 1e-3}", "+c=a\\,b"),
            ["10.0 [1, 2.0] 1,2 z: 0.001", " a,b"],
        )

    def test_an_empty_configuration_is_made_where_there_is_none(self):
        self.write("main.py", "import flow_task as flow\n@flow.launch('new/conf')\ndef main(ctx):\n    print(dict(ctx.config))\nmain()\n")
        self.assertEqual(self.lines(), ["{}"])
        self.assertEqual(self.read("new/conf/config.yaml"), "")

    def test_a_forced_id_goes_on_from_its_checkpoint(self):
        self.lines()
        self.assertEqual(self.lines("num_epoch=5", "mlxp.logger.forced_log_id=1"), ["1 10.0 0 3"])
        self.assertEqual(len(self.read("logs/1/metrics/train.json").splitlines()), 5)

    def under_flow(self):
        return {"FLOW_OUTPUT_DIR": self.path("out"), "FLOW_CHECKPOINT_DIR": self.path("ckpt")}

    def test_under_flow_a_second_attempt_resumes_in_the_same_directory(self):
        status, out, _ = self.launch("+fail=1", **self.under_flow())
        self.assertEqual((status, out), (1, "1 10.0 0 0\n"))
        self.assertIn("\nstatus: FAILED\n", self.read("logs/1/metadata/info.yaml"))
        self.assertEqual(self.lines("num_epoch=4", **self.under_flow()), ["1 10.0 0 2"])
        self.assertEqual(len(self.read("logs/1/metrics/train.json").splitlines()), 4)
        kinds = [event["k"] for event in self.events()]
        self.assertEqual(kinds.count("metrics"), 4)
        self.assertEqual(kinds.count("checkpoint"), 4)

    def test_a_run_that_asks_for_another_attempt_is_not_over(self):
        status, _, _ = self.launch("+fail=0", "+requeue=true", **self.under_flow())
        self.assertEqual(status, 75)
        self.assertIn("\nstatus: RUNNING\n", self.read("logs/1/metadata/info.yaml"))

    def test_under_flow_a_torn_checkpoint_is_left_out_aloud(self):
        self.launch("+fail=1", **self.under_flow())
        newest = sorted(name for name in os.listdir(self.path("ckpt")) if name.endswith(".pkl"))[-1]
        with open(self.path(os.path.join("ckpt", newest)), "r+b") as file:
            file.truncate(5)
        status, out, err = self.launch(**self.under_flow())
        self.assertEqual((status, out), (0, "1 10.0 0 1\n"))
        self.assertIn("flow_task: left out an incomplete checkpoint", err)

    def test_a_damaged_checkpoint_is_no_new_start(self):
        self.lines()
        self.write("logs/1/artifacts/pickle/last_ckpt.pkl", "garbage")
        status, out, err = self.launch("mlxp.logger.forced_log_id=1")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("flow_task: the checkpoint ", err)

    def test_parameters_of_the_task_go_between_file_and_arguments(self):
        self.write("params.json", json.dumps({"optimizer.lr": "0.5", "seed": "7", "words": "3"}))
        variables = {"FLOW_PARAMS_FILE": self.path("params.json"), **self.under_flow()}
        self.assertEqual(self.lines("seed=8", **variables), ["1 0.5 8 0"])

    def refused(self, *arguments):
        status, out, err = self.launch(*arguments)
        self.assertEqual((status, out), (2, ""))
        return err.strip()

    def test_what_is_wrong_with_an_override_is_said(self):
        says = {
            "optimzer.lr=3": "main.py: configs/config.yaml has no `optimzer.lr`; did you mean `optimizer.lr`?",
            "words=3": "main.py: configs/config.yaml has no `words`; write +words=3 to add it",
            "lr": "main.py: `lr` is no override; write key=value, +key=value or ~key",
            "seed=5..3": "main.py: the range `5..3` is empty; write 3..5",
            "seed=1,,2": "main.py: a value is empty in `seed=1,,2`; take the comma away or put it between quotes",
            "seed=[1, 2": "main.py: `seed=[1, 2`: `[1, 2` lacks its `]`",
        }
        self.assertEqual({argument: self.refused(argument) for argument in says}, says)

    def test_what_is_wrong_with_a_configuration_is_said_with_its_line(self):
        says = {
            "a: 1\nb\n": "main.py: configs/config.yaml:2: expected `name: value`, found `b`",
            "a: [1, 2\n": "main.py: configs/config.yaml:1: `[1, 2` lacks its `]`",
            "a: 1\na: 2\n": "main.py: configs/config.yaml:2: `a` is there twice",
            "a:\n\tb: 1\n": "main.py: configs/config.yaml:2: a line is indented by a tab; use spaces",
            "a: 1\n  b: 1\n": "main.py: configs/config.yaml:2: this line is indented more than the one before it",
            "- 1\n": "main.py: configs/config.yaml:1: expected `name: value` lines, found list",
            "a: 'x\n": "main.py: configs/config.yaml:1: a ' is not closed in `'x`",
        }
        found = {}
        for text in says:
            self.write("configs/config.yaml", text)
            found[text] = self.refused()
        self.assertEqual(found, says)

    def test_ids_of_runs_at_the_same_time_differ(self):
        processes = [
            self.start(
                f"import runpy; sys.argv = ['main.py']; runpy.run_path({self.path('main.py')!r}, run_name='__main__')",
                **self.without_flow(),
            )
            for _ in range(4)
        ]
        ids = [process.communicate(timeout=300)[0].split()[0] for process in processes]
        self.assertEqual(sorted(ids), ["1", "2", "3", "4"])

    def test_artifacts_of_any_type_come_back(self):
        self.write(
            "main.py",
            "import flow_task as flow\n@flow.launch('configs')\ndef main(ctx):\n"
            "    log = ctx.logger\n"
            "    log.register_artifact_type('text', lambda o, p: open(p, 'w').write(o), lambda p: open(p).read())\n"
            "    log.log_artifacts('hello', 'a/b.txt', 'text')\n"
            "    print(log.load_artifacts('a/b.txt', 'text'), log.load_artifacts('a/b.txt'))\nmain()\n",
        )
        self.assertEqual(self.lines(), ["hello hello"])
        self.assertEqual(self.read("logs/1/artifacts/.keys/artifacts.yaml"), 'text:\n  .a:\n    b.txt: ""\n')


if __name__ == "__main__":
    unittest.main()
