"""Counts to its first argument and survives preemption: the contract in Python, no library."""

import json
import os
import signal
import sys
import time

goal, out = int(sys.argv[1]), sys.argv[2]
state = os.path.join(os.environ.get("FLOW_CHECKPOINT_DIR", "."), "count")
stop_file = os.environ.get("FLOW_STOP_FILE", "")
events = os.environ.get("FLOW_EVENTS", os.devnull)
# The stop file says the same as the signal and is looked at between two steps.
signal.signal(signal.SIGTERM, lambda *_: None)

done = 0
if os.path.exists(state):
    with open(state) as file:
        done = int(file.read())
    print(f"resuming from {done}", flush=True)
while done < goal:
    if os.path.exists(stop_file):
        print(f"asked to stop at {done}", flush=True)
        sys.exit(int(os.environ.get("FLOW_EXIT_REQUEUE", 75)))
    time.sleep(float(os.environ.get("PAUSE", 0.1)))
    done += 1
    with open(state + ".tmp", "w") as file:
        print(done, file=file)
    os.replace(state + ".tmp", state)
    with open(events, "a") as file:
        print(json.dumps({"k": "progress", "done": done, "total": goal}), file=file)
with open(out, "w") as file:
    print(done, file=file)
