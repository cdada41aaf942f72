"""Events: metrics, progress, artifacts."""

import os
import unittest

from rig import ScriptCase


class EventsTest(ScriptCase):
    def test_metrics_have_a_step_and_a_name(self):
        self.say("flow.log_metrics({'loss': 0.5, 'n': 3}, step=7, name='train'); flow.log_metrics({'x': 1})")
        self.assertEqual(
            self.events(),
            [
                {"k": "metrics", "step": 7, "ns": "train", "v": {"loss": 0.5, "n": 3}},
                {"k": "metrics", "v": {"x": 1}},
            ],
        )

    def test_numbers_of_libraries_and_odd_numbers_are_written_as_json(self):
        self.say(
            """
            class Tensor:
                def item(self): return 1.5
            flow.log_metrics({"t": Tensor(), "nan": float("nan"), "inf": float("-inf"), "flag": True})
            """
        )
        self.assertEqual(self.events(), [{"k": "metrics", "v": {"t": 1.5, "nan": "nan", "inf": "-inf", "flag": 1.0}}])

    def test_many_metrics_become_several_lines_of_bounded_length(self):
        self.say("flow.log_metrics({f'metric_number_{i}': i for i in range(120)}, step=1)")
        with open(self.path("events.0.jsonl"), "rb") as file:
            self.assertLessEqual(max(map(len, file.readlines())), 4096)
        values = {}
        for event in self.events():
            values.update(event["v"])
        self.assertEqual(values, {f"metric_number_{i}": i for i in range(120)})

    def test_progress_is_thinned_out_but_its_end_is_not_lost(self):
        self.say("for i in range(1, 20001): flow.progress(i, 20001, unit='step')")
        events = self.events()
        self.assertLess(len(events), 10)
        self.assertEqual(events[0], {"k": "progress", "done": 1, "total": 20001, "unit": "step"})
        self.assertEqual(events[-1], {"k": "progress", "done": 20000, "total": 20001, "unit": "step"})

    def test_track_yields_everything_and_reports(self):
        out = self.say("print(sum(flow.track(range(5), unit='epoch')))")
        self.assertEqual(out, "10\n")
        self.assertEqual(self.events()[-1], {"k": "progress", "done": 5, "total": 5, "unit": "epoch"})

    def test_track_ends_early_when_a_stop_is_asked_for(self):
        self.ask_to_stop('{"reason":"user"}\n')
        status, out, _ = self.run_script("for i in flow.track(range(5)): print(i)\nflow.finish()")
        self.assertEqual((status, out), (75, "0\n"))

    def test_a_stop_after_the_last_item_does_not_undo_the_work(self):
        status, out, _ = self.run_script(
            """
            for i in flow.track(range(3)):
                if i == 2:
                    open("stop", "w").write('{"reason":"user"}')
            flow.finish()
            """
        )
        self.assertEqual(status, 0)
        self.assertEqual(self.events()[-1], {"k": "done"})

    def test_an_artifact_is_named_by_its_path(self):
        self.say("flow.log_artifact('plots/loss.png', kind='plot')")
        path = os.path.join(os.path.realpath(self.dir), "plots/loss.png")
        self.assertEqual(self.events(), [{"k": "artifact", "path": path, "name": "loss.png", "kind": "plot"}])

    def test_every_rank_has_its_own_file(self):
        self.say("flow.log_metrics({'x': 1})", FLOW_RANK="2")
        self.assertEqual(self.events(), [])
        self.assertEqual(self.events("events.2.jsonl"), [{"k": "metrics", "v": {"x": 1}}])

    def test_events_that_cannot_be_written_do_not_disturb_the_program(self):
        status, out, err = self.run_script(
            "flow.log_metrics({'x': 1}); flow.log_metrics({'x': 2}); print('alive')", FLOW_EVENTS="/dev/null/x/y"
        )
        self.assertEqual((status, out), (0, "alive\n"))
        self.assertEqual(err, "flow_task: events are lost: [Errno 20] Not a directory: '/dev/null/x'\n")

    def test_without_flow_events_go_to_the_output_folder(self):
        self.say("flow.log_metrics({'x': 1})", **self.without_flow())
        self.assertEqual(self.events("output/events.0.jsonl"), [{"k": "metrics", "v": {"x": 1}}])


if __name__ == "__main__":
    unittest.main()
