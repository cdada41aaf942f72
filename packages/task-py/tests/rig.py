"""Runs scripts that use flow_task as real processes in a folder of their own."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

PYTHON_DIR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python")

PREAMBLE = "import os, signal, sys, time\nimport flow_task as flow\n"


class ScriptCase(unittest.TestCase):
    """A test with a temporary folder and scripts that run in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="flow-task-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name

    def path(self, name):
        return os.path.join(self.dir, name)

    def environment(self, **variables):
        """What flow gives a program, with `variables` on top; without flow when FLOW is None."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("FLOW", "SGE_", "OAR_"))}
        env.update(
            PYTHONPATH=PYTHON_DIR,
            FLOW="1",
            FLOW_OUTPUT_DIR=self.path("out"),
            FLOW_CHECKPOINT_DIR=self.path("ckpt"),
            FLOW_EVENTS=self.path("events.0.jsonl"),
            FLOW_STOP_FILE=self.path("stop"),
            FLOW_EXIT_REQUEUE="75",
        )
        for name, value in variables.items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        return env

    def without_flow(self):
        names = ("FLOW", "FLOW_OUTPUT_DIR", "FLOW_CHECKPOINT_DIR", "FLOW_EVENTS", "FLOW_STOP_FILE", "FLOW_EXIT_REQUEUE")
        return dict.fromkeys(names)

    def start(self, code, **variables):
        process = subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + textwrap.dedent(code)],
            cwd=self.dir,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def run_script(self, code, **variables):
        """Runs to the end and gives the exit code, the output and the errors."""
        process = self.start(code, **variables)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def say(self, code, **variables):
        """The output of a script that must succeed silently."""
        status, out, err = self.run_script(code, **variables)
        self.assertEqual((status, err), (0, ""), out)
        return out

    def events(self, name="events.0.jsonl"):
        """The events that were written, without their times."""
        try:
            with open(self.path(name)) as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return []
        events = [json.loads(line) for line in lines]
        for event in events:
            event.pop("t")
        return events

    def wait_for_line(self, process, line):
        self.assertEqual(process.stdout.readline(), line + "\n")

    def ask_to_stop(self, text):
        with open(self.path("stop.tmp"), "w") as file:
            file.write(text)
        os.rename(self.path("stop.tmp"), self.path("stop"))

