"""A search for flow in thirty lines: keeps the best trial and tries its neighbourhood.

flow writes JSON lines to the standard input and reads answers from the standard output:

    {"start": {"objective": {"metric": "val.loss", "direction": "min"}, "trials": 8, "params": {...}}}
    {"replay": {"trial": "1", "params": {...}, "state": "done", "value": 0.9}}    what is known already
    {"ask": 2}          answered by two lines {"trial": 3, "params": {"lr": 0.1}}, or {"done": true}
    {"tell": "3", "state": "done", "value": 0.4}
"""

import json
import random
import sys

best, count, known, limits, sign = None, 0, {}, {}, 1


def heard(trial, value):
    global best
    if value is not None and (best is None or sign * value > best[0]):
        best = (sign * value, known[trial])


for line in sys.stdin:
    message = json.loads(line)
    if "start" in message:
        limits = message["start"]["params"]
        sign = 1 if message["start"]["objective"]["direction"] == "max" else -1
    elif "replay" in message:
        count += 1
        known[message["replay"]["trial"]] = message["replay"]["params"]
        heard(message["replay"]["trial"], message["replay"].get("value"))
    elif "ask" in message:
        for _ in range(message["ask"]):
            count += 1
            source = random.Random(count)
            params = {}
            for name, (low, high) in limits.items():
                center = best[1][name] if best else (low * high) ** 0.5
                params[name] = float(f"{min(high, max(low, center * 4 ** source.uniform(-1, 1))):.4g}")
            known[str(count)] = params
            print(json.dumps({"trial": count, "params": params}), flush=True)
    elif "tell" in message:
        heard(message["tell"], message.get("value"))
