"""Stopping: by file, by signal, by deadline; exit codes."""

import signal
import time
import unittest

from rig import ScriptCase

LOOP = """
print("ready", flush=True)
while not flow.should_stop({need}):
    time.sleep(0.005)
print(flow.should_stop())
flow.finish()
"""


class ShouldStopTest(ScriptCase):
    def test_nothing_asked_means_go_on(self):
        out = self.say("print(flow.should_stop(), flow.time_left()); flow.finish()")
        self.assertEqual(out, "None inf\n")
        self.assertEqual(self.events(), [{"k": "done"}])

    def test_a_stop_file_gives_its_reason(self):
        process = self.start(LOOP.format(need=0))
        self.wait_for_line(process, "ready")
        self.ask_to_stop('{"reason":"pruned","at":1,"kill_at":99999999999}\n')
        self.wait_for_line(process, "pruned")
        self.assertEqual(process.wait(300), 75)
        self.assertEqual(self.events(), [])

    def test_a_stop_file_that_cannot_be_read_is_a_request_all_the_same(self):
        for text in ("", "{", "[]", '"x"', "null"):
            with self.subTest(text=text):
                self.ask_to_stop(text)
                self.assertEqual(self.say("print(flow.should_stop())"), "user\n")

    def test_a_signal_is_a_stop_and_not_the_end(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):
                process = self.start("flow.should_stop()" + LOOP.format(need=0))
                self.wait_for_line(process, "ready")
                process.send_signal(number)
                self.wait_for_line(process, "shutdown")
                self.assertEqual(process.wait(300), 75)

    def test_a_signal_with_a_stop_file_has_the_reason_of_the_file(self):
        process = self.start("flow.should_stop()" + LOOP.format(need=0))
        self.wait_for_line(process, "ready")
        self.ask_to_stop('{"reason":"preempt"}')
        process.send_signal(signal.SIGTERM)
        self.wait_for_line(process, "preempt")

    def test_a_deadline_stops_as_early_as_the_program_needs(self):
        out = self.say(
            "print(flow.should_stop(), flow.should_stop(need=3600), 3 < flow.time_left() <= 60)",
            FLOW_DEADLINE=str(time.time() + 60),
        )
        self.assertEqual(out, "None deadline True\n")
        process = self.start(LOOP.format(need=59.8), FLOW_DEADLINE=str(time.time() + 60.5))
        self.wait_for_line(process, "ready")
        self.wait_for_line(process, "None")
        self.assertEqual(process.wait(300), 75)

    def test_a_request_brings_the_deadline_forward(self):
        self.ask_to_stop('{"reason":"preempt","kill_at":%f}' % (time.time() + 30))
        out = self.say("print(flow.should_stop(), 20 < flow.time_left() <= 30)", FLOW_DEADLINE=str(time.time() + 3600))
        self.assertEqual(out, "preempt True\n")

    def test_ranks_agree_through_the_reduction(self):
        self.ask_to_stop('{"reason":"user"}')
        out = self.say(
            """
            seen = []
            print(flow.should_stop(reduce=lambda mine: seen.append(mine) or False), flow.should_stop(reduce=lambda mine: mine))
            print(seen)
            """
        )
        self.assertEqual(out, "None user\n[True]\n")

    def test_a_rank_stops_with_the_others_though_nobody_asked_it(self):
        self.assertEqual(self.say("print(flow.should_stop(reduce=lambda mine: True))"), "shutdown\n")

    def test_a_handler_that_was_there_is_still_called(self):
        process = self.start(
            "signal.signal(signal.SIGTERM, lambda *_: print('theirs', flush=True)); flow.should_stop()" + LOOP.format(need=0)
        )
        self.wait_for_line(process, "ready")
        process.send_signal(signal.SIGTERM)
        self.wait_for_line(process, "theirs")
        self.wait_for_line(process, "shutdown")

    def test_an_ignored_signal_stays_ignored(self):
        out = self.say(
            """
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            flow.should_stop()
            print(signal.getsignal(signal.SIGTERM) == signal.SIG_IGN, signal.getsignal(signal.SIGALRM) == signal.SIG_DFL)
            """
        )
        self.assertEqual(out, "True True\n")

    def test_another_thread_may_ask_first(self):
        out = self.say(
            """
            import threading
            answers = []
            thread = threading.Thread(target=lambda: answers.append(flow.should_stop()))
            thread.start()
            thread.join()
            flow.should_stop()
            print(answers, callable(signal.getsignal(signal.SIGTERM)))
            """
        )
        self.assertEqual(out, "[None] True\n")

    def test_without_flow_nothing_stops_and_no_handler_is_installed(self):
        out = self.say(
            "print(flow.should_stop(), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL); flow.finish()",
            **self.without_flow(),
        )
        self.assertEqual(out, "None True\n")


class FinishTest(ScriptCase):
    def test_done_work_is_success_even_after_a_stop(self):
        self.ask_to_stop('{"reason":"preempt"}')
        status, _, _ = self.run_script("flow.should_stop(); flow.finish(done=True)")
        self.assertEqual(status, 0)
        self.assertEqual(self.events(), [{"k": "done"}])

    def test_unfinished_work_asks_to_be_run_again(self):
        status, _, _ = self.run_script("flow.finish(done=False)", FLOW_EXIT_REQUEUE="85")
        self.assertEqual((status, self.events()), (85, []))

    def test_requeue_asks_with_a_reason(self):
        status, _, _ = self.run_script("flow.requeue('lost the database')")
        self.assertEqual((status, self.events()), (75, [{"k": "requeue", "reason": "lost the database"}]))

    def test_done_goes_on_and_survives_the_kill(self):
        status, out, _ = self.run_script("flow.done(); print('after', flush=True); os.kill(os.getpid(), 9)")
        self.assertEqual((status, out, self.events()), (-9, "after\n", [{"k": "done"}]))

    def test_progress_that_was_held_back_comes_before_the_end(self):
        self.run_script("flow.progress(1, 9); flow.progress(2, 9); flow.finish()")
        self.assertEqual([event["k"] for event in self.events()], ["progress", "progress", "done"])


CSM = """
manager = flow.ClusterStateManager({arguments})
print("ready", flush=True)
while not manager.should_exit():
    time.sleep(0.005)
sys.exit(manager.get_exit_code())
"""


class ClusterStateManagerTest(ScriptCase):
    def code(self, arguments="", number=None, **variables):
        process = self.start(CSM.format(arguments=arguments), **variables)
        self.wait_for_line(process, "ready")
        if number is not None:
            process.send_signal(number)
        return process.wait(300)

    def test_after_the_timer_flow_runs_it_again(self):
        self.assertEqual(self.code("time_to_run=0.05"), 75)

    def test_after_a_signal_flow_runs_it_again(self):
        self.assertEqual(self.code(number=signal.SIGTERM), 75)
        self.assertEqual(self.code("3600", number=signal.SIGINT), 75)

    def test_a_stop_file_ends_the_loop_too(self):
        self.ask_to_stop('{"reason":"user"}')
        self.assertEqual(self.code("3600"), 75)

    def test_a_loop_that_was_never_told_to_end_is_complete(self):
        status, _, _ = self.run_script(
            """
            manager = flow.ClusterStateManager(time_to_run=0.01)
            time.sleep(0.03)
            sys.exit(manager.get_exit_code())
            """
        )
        self.assertEqual(status, 0)

    def test_without_flow_the_codes_are_the_cluster_tutorials(self):
        none = self.without_flow()
        self.assertEqual(self.code("0.05", **none), 3)
        self.assertEqual(self.code("3600", number=signal.SIGTERM, **none), 0)

    def test_grid_engine_and_oar_have_a_code_of_their_own(self):
        none = self.without_flow()
        self.assertEqual(self.code("0.05", SGE_TASK_ID="undefined", **none), 99)
        self.assertEqual(self.code("3600", number=signal.SIGTERM, OAR_JOB_ID="1", **none), 99)

    def test_it_uses_no_alarm(self):
        out = self.say(
            "flow.ClusterStateManager(5); print(signal.getsignal(signal.SIGALRM) == signal.SIG_DFL, signal.alarm(0))"
        )
        self.assertEqual(out, "True 0\n")


if __name__ == "__main__":
    unittest.main()
