"""Checkpoints: atomic, torn ones never loaded, old ones removed; killed at every system call."""

import json
import os
import shutil
import unittest

from rig import ScriptCase

LOAD = "print(flow.checkpoint.load(default='nothing'), flow.checkpoint.step)"


class CheckpointTest(ScriptCase):
    def names(self):
        return sorted(os.listdir(self.path("ckpt")))

    def commits(self):
        return [name for name in self.names() if name.endswith(".json")]

    def test_what_was_saved_is_loaded(self):
        out = self.say(
            """
            print(flow.checkpoint.load(default={"step": 0}), flow.checkpoint.latest(), flow.checkpoint.step)
            path = flow.checkpoint.save({"step": 3, "w": [1.5]}, step=3)
            print(flow.checkpoint.load(), flow.checkpoint.latest() == path, flow.checkpoint.step)
            """
        )
        self.assertEqual(out, "{'step': 0} None None\n{'step': 3, 'w': [1.5]} True 3\n")
        path = os.path.join(self.path("ckpt"), [name for name in self.names() if name.endswith(".pkl")][0])
        self.assertEqual(self.events(), [{"k": "checkpoint", "path": path, "step": 3}])

    def test_a_file_of_the_programs_own_format_counts_when_the_block_ends(self):
        out = self.say(
            """
            with flow.checkpoint.write(7, suffix=".txt") as path:
                open(path, "w").write("weights")
                print(flow.checkpoint.latest())
            print(flow.checkpoint.latest() == path, open(flow.checkpoint.latest()).read(), path[-4:])
            """
        )
        self.assertEqual(out, "None\nTrue weights .txt\n")

    def test_a_directory_is_one_checkpoint(self):
        out = self.say(
            """
            with flow.checkpoint.write(1) as path:
                os.makedirs(path + "/shards")
                for i in range(3):
                    open(f"{path}/shards/{i}", "w").write("x" * i)
            print(sorted(os.listdir(flow.checkpoint.latest() + "/shards")))
            os.unlink(path + "/shards/2")
            sys.stderr = sys.stdout
            print(flow.checkpoint.latest())
            """
        )
        self.assertTrue(out.startswith("['0', '1', '2']\nflow_task: left out an incomplete checkpoint: "), out)
        self.assertTrue(out.endswith("\nNone\n"), out)

    def test_an_exception_leaves_nothing(self):
        status, _, err = self.run_script(
            """
            with flow.checkpoint.write(1) as path:
                open(path, "w").write("half")
                raise RuntimeError("no memory")
            """
        )
        self.assertEqual(status, 1)
        self.assertTrue(err.endswith("RuntimeError: no memory\n"))
        self.assertEqual(self.names(), [])

    def test_writing_nothing_is_an_error(self):
        status, _, err = self.run_script("with flow.checkpoint.write(1) as path: pass")
        self.assertEqual(status, 1)
        self.assertRegex(err, r"FileNotFoundError: nothing was written to the checkpoint's path /.*\n$")

    def test_names_and_steps_are_checked(self):
        for code, message in (
            ("flow.checkpoint.write(-1)", "the step of a checkpoint is a whole number from 0, not -1"),
            ("flow.checkpoint.write(1.5)", "the step of a checkpoint is a whole number from 0, not 1.5"),
            ("flow.checkpoint.write(1, '../x')", "a checkpoint's name has letters, digits, `.`, `_` and `-` only, not '../x'"),
            ("flow.checkpoint.keep(0)", "`last` must be at least 1 or None, not 0"),
            ("flow.checkpoint.keep(1, ('a', 'most'))", "the best is the `max` or the `min` of a metric, not `most`"),
        ):
            with self.subTest(code=code):
                _, _, err = self.run_script(code)
                self.assertTrue(err.endswith(f"ValueError: {message}\n"), err)

    def test_the_last_two_are_kept(self):
        self.say("for i in range(1, 6): flow.checkpoint.save(i, step=i)")
        self.assertEqual(self.commits(), ["ckpt-000000000004.json", "ckpt-000000000005.json"])
        self.assertEqual(len(self.names()), 4)

    def test_the_best_is_kept_besides(self):
        self.say(
            """
            flow.checkpoint.keep(last=1, best=("val.acc", "max"))
            for i, acc in enumerate([0.1, 0.9, 0.3, 0.2], 1):
                flow.log_metrics({"acc": acc}, name="val")
                flow.checkpoint.save(i, step=i)
            """
        )
        self.assertEqual(self.commits(), ["ckpt-000000000002.json", "ckpt-000000000004.json"])

    def test_all_are_kept_when_asked(self):
        self.say("flow.checkpoint.keep(last=None)\nfor i in range(5): flow.checkpoint.save(i, step=i)")
        self.assertEqual(len(self.commits()), 5)

    def test_files_of_others_are_left_alone(self):
        os.makedirs(self.path("ckpt"))
        for name in ("notes.txt", "ckpt-final.pt", "other-000000000001-0123456789ab"):
            open(self.path(f"ckpt/{name}"), "w").close()
        self.say("for i in range(5): flow.checkpoint.save(i, step=i)")
        self.assertEqual(len(self.names()), 7)

    def test_names_do_not_mix(self):
        out = self.say(
            """
            flow.checkpoint.save("a", step=9, name="ckpt-ema")
            flow.checkpoint.save("b", step=1)
            print(flow.checkpoint.load(), flow.checkpoint.load(name="ckpt-ema"), flow.checkpoint.step)
            """
        )
        self.assertEqual(out, "b a 1\n")

    def test_the_same_step_again_replaces(self):
        self.say("flow.checkpoint.save('old', step=1); flow.checkpoint.save('new', step=1)")
        self.assertEqual(self.say(LOAD), "new 1\n")
        self.assertEqual(len(self.names()), 2)

    def test_a_checkpoint_that_was_only_reported_is_the_latest_without_a_better(self):
        open(self.path("model.pt"), "w").close()
        variables = {"FLOW_CHECKPOINT": self.path("model.pt"), "FLOW_CHECKPOINT_STEP": "4"}
        out = self.say("print(os.path.basename(flow.checkpoint.latest()), flow.checkpoint.step)", **variables)
        self.assertEqual(out, "model.pt 4\n")

    def test_a_resumed_program_is_told_that_there_is_nothing_to_load(self):
        _, out, err = self.run_script(LOAD, FLOW_RESUME="1")
        self.assertEqual(out, "nothing None\n")
        self.assertEqual(
            err, f"flow_task: no complete checkpoint `ckpt` in {self.path('ckpt')}: starting from the beginning\n"
        )


class TornTest(ScriptCase):
    def setUp(self):
        super().setUp()
        self.say("flow.checkpoint.save({'step': 1}, step=1); flow.checkpoint.save({'step': 2, 'w': 'x' * 40}, step=2)")
        with open(self.path("ckpt/ckpt-000000000002.json")) as file:
            self.data = self.path("ckpt/" + json.load(file)["data"])

    def check_every_tear(self, path, expected):
        """Tears `path` in every way and asks one process what it loads each time."""
        out = self.say(
            f"""
            sys.stderr = open(os.devnull, "w")
            path = {path!r}
            whole = open(path, "rb").read()
            def tears():
                for size in range(len(whole)):
                    yield whole[:size]
                for at in range(0, len(whole)):
                    yield whole[:at] + b"\\0" * (len(whole) - at)
                yield b"\\0" * len(whole)
            seen = set()
            for torn in tears():
                if torn == whole: continue
                open(path, "wb").write(torn)
                try:
                    seen.add(flow.checkpoint.load(default={{"step": 0}})["step"])
                except Exception as error:
                    seen.add(repr(error))
            print(seen)
            open(path, "wb").write(whole)
            print(flow.checkpoint.load()["step"])
            """
        )
        self.assertEqual(out, expected)

    def test_torn_data_is_never_loaded(self):
        self.check_every_tear(self.data, "{1}\n2\n")

    def test_a_torn_commit_is_never_followed(self):
        # Without its last byte, a newline, the commit is still whole.
        self.check_every_tear(self.path("ckpt/ckpt-000000000002.json"), "{1, 2}\n2\n")

    def test_a_torn_one_is_named(self):
        os.truncate(self.data, 5)
        _, out, err = self.run_script(LOAD)
        self.assertEqual(out, "{'step': 1} 1\n")
        self.assertEqual(err.splitlines()[0], f"flow_task: left out an incomplete checkpoint: {self.data}")

    def test_a_later_save_removes_what_was_torn(self):
        os.truncate(self.data, 5)
        self.say("sys.stderr = open(os.devnull, 'w'); flow.checkpoint.save({'step': 3}, step=3)")
        self.assertEqual(self.say(LOAD.replace("print", "sys.stderr = open(os.devnull, 'w'); print")), "{'step': 3} 3\n")


class KilledTest(ScriptCase):
    """The process is killed just before, and just after, its n-th call of the operating system."""

    #: Replaces `os` in the module: call number `at` of the functions that change a disk is the last one.
    KILLER = """
    class Killer:
        calls = 0
        def __getattr__(self, name):
            value = getattr(os, name)
            if name not in {"open", "write", "fsync", "close", "replace", "unlink", "makedirs", "listdir", "urandom"}:
                return value
            def call(*arguments, **options):
                Killer.calls += 1
                if Killer.calls == AT and not AFTER:
                    os.kill(os.getpid(), 9)
                if Killer.calls == AT and name == "write":
                    os.write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                    os.kill(os.getpid(), 9)
                result = value(*arguments, **options)
                if Killer.calls == AT:
                    os.kill(os.getpid(), 9)
                return result
            return call
    AT, AFTER = int(os.environ["AT"]), os.environ["AFTER"] == "1"
    """

    def sweep(self, before, change, check, allowed):
        """Kills `change` at every call; what `check` prints then must be allowed, and the end must be the last."""
        self.run_script(before)
        shutil.copytree(self.path("ckpt"), self.path("start"))
        seen = []
        code = self.KILLER + "\n    flow.os = Killer()\n    " + change + "\n    print('survived', Killer.calls)\n"
        for after in ("0", "1"):
            at = 0
            while True:
                at += 1
                shutil.rmtree(self.path("ckpt"))
                shutil.copytree(self.path("start"), self.path("ckpt"))
                status, out, err = self.run_script(code, AT=str(at), AFTER=after)
                _, loaded, _ = self.run_script(check)
                self.assertIn(loaded.strip(), allowed, f"killed at call {at}: {err}")
                seen.append(loaded.strip())
                if status != -9:
                    self.assertEqual((status, loaded.strip()), (0, allowed[-1]), err)
                    break
        self.assertGreater(len(seen), 20, "the sweep did not reach the writing")
        self.assertEqual(set(seen), set(allowed))

    def test_a_kill_at_any_point_of_saving_leaves_the_old_or_the_new_one(self):
        self.sweep(
            "flow.checkpoint.save('old', step=1)",
            "flow.checkpoint.save('new' * 1000, step=2)",
            "print(flow.checkpoint.load()[:3], flow.checkpoint.step)",
            ["old 1", "new 2"],
        )

    def test_a_kill_at_any_point_of_replacing_a_step_leaves_the_old_or_the_new_one(self):
        self.sweep(
            "flow.checkpoint.keep(1); flow.checkpoint.save('old', step=1)",
            "flow.checkpoint.keep(1); flow.checkpoint.save('new', step=1)",
            LOAD,
            ["old 1", "new 1"],
        )

    def test_a_program_killed_over_and_over_gets_on(self):
        code = """
        state = flow.checkpoint.load(default={"step": 0})
        start = state["step"]
        while state["step"] < 40:
            state["step"] += 1
            flow.checkpoint.save(state, step=state["step"])
            if state["step"] == start + 4:
                print(state["step"], flush=True)
                os.kill(os.getpid(), 9)
        flow.finish()
        """
        runs = 0
        while self.run_script(code)[0] == -9:
            runs += 1
        self.assertEqual(runs, 10)


if __name__ == "__main__":
    unittest.main()
