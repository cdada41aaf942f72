"""What importing flow_task costs and leaves alone."""

import ast
import os
import subprocess
import sys
import unittest

from rig import PYTHON_DIR, ScriptCase


class ModuleTest(ScriptCase):
    def test_importing_imports_nothing_else_and_touches_nothing(self):
        out = self.say(
            """
            for name in ("flow_task", "json", "threading", "typing", "re", "pickle", "subprocess", "signal"):
                sys.modules.pop(name, None)
            before = set(sys.modules)
            handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)]
            import flow_task
            print(sorted(set(sys.modules) - before))
            print(handlers == [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)])
            print(os.listdir("."))
            """
        )
        self.assertEqual(out, "['flow_task']\nTrue\n[]\n")

    def test_the_file_is_python_3_8(self):
        with open(os.path.join(PYTHON_DIR, "flow_task.py"), encoding="utf-8") as file:
            ast.parse(file.read(), feature_version=(3, 8))

    def test_the_folder_on_the_path_holds_nothing_else(self):
        self.assertEqual([name for name in os.listdir(PYTHON_DIR) if name != "__pycache__"], ["flow_task.py"])

    def test_everything_promised_has_a_docstring(self):
        out = self.say("print([n for n in flow.__all__ if n not in ('active', 'params') and not getattr(flow, n).__doc__])")
        self.assertEqual(out, "[]\n")

    def test_an_unknown_name_is_an_attribute_error(self):
        status, _, err = self.run_script("flow.nothing")
        self.assertEqual(status, 1)
        self.assertIn("AttributeError: module 'flow_task' has no attribute 'nothing'", err)

    def test_the_runner_explains_its_usage(self):
        done = subprocess.run(
            [sys.executable, os.path.join(PYTHON_DIR, "flow_task.py"), "go"],
            stderr=subprocess.PIPE,
            universal_newlines=True,
            check=False,
        )
        self.assertEqual(done.returncode, 98)
        self.assertEqual(
            done.stderr,
            "flow_task.py: expected `exec` and a specification\n"
            "usage: python3 -IS flow_task.py exec SPEC.json [DIR]\n",
        )


class TaskTest(ScriptCase):
    def test_the_facts_come_from_the_environment(self):
        out = self.say(
            """
            t = flow.task()
            print(flow.active, t.id, t.name, t.attempt, t.restart_reason, t.resume, t.gpus, t.cpus, t.rank, t.world_size)
            print(t.targets, t.deps, t.seed, t.checkpoint_dir == os.environ["FLOW_CHECKPOINT_DIR"])
            """,
            FLOW_TASK_ID="abc",
            FLOW_TASK="train@seed=1",
            FLOW_ATTEMPT="3",
            FLOW_RESTART_REASON="preempt",
            FLOW_RESUME="1",
            FLOW_GPUS="GPU-1,GPU-2",
            FLOW_CPUS="4",
            FLOW_RANK="1",
            FLOW_WORLD_SIZE="2",
            FLOW_TARGETS="a\nb c",
            FLOW_DEPS="",
            FLOW_SEED="7",
        )
        self.assertEqual(
            out,
            "True abc train@seed=1 3 preempt True ['GPU-1', 'GPU-2'] 4 1 2\n['a', 'b c'] [] 7 True\n",
        )

    def test_without_flow_there_are_sensible_places(self):
        out = self.say(
            """
            t = flow.task()
            print(flow.active, t.id, t.attempt, t.restart_reason, t.resume, t.gpus, t.rank, t.world_size)
            print(os.path.relpath(t.output_dir), os.path.relpath(t.checkpoint_dir), os.path.exists("output"))
            """,
            **self.without_flow(),
        )
        self.assertEqual(out, "False None 1 first False [] 0 1\noutput output/checkpoints False\n")


if __name__ == "__main__":
    unittest.main()
