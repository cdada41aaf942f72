"""Counts to its first argument and survives preemption, with the helper that flow puts on PYTHONPATH."""

import os
import sys
import time

import flow_task as flow

goal, out = int(sys.argv[1]), sys.argv[2]
state = flow.checkpoint.load(default={"done": 0})
if state["done"] > 0:
    print(f"resuming from {state['done']}", flush=True)
while state["done"] < goal and not flow.should_stop():
    time.sleep(float(os.environ.get("PAUSE", 0.1)))
    state["done"] += 1
    flow.checkpoint.save(state, step=state["done"])
    flow.progress(state["done"], goal)
if state["done"] == goal:
    with open(out, "w") as file:
        print(goal, file=file)
else:
    print(f"asked to stop at {state['done']}", flush=True)
flow.finish(done=state["done"] == goal)
