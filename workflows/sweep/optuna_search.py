"""Optuna as the search of a flow file; needs `pip install optuna`.

    sweep:
      method: external
      command: [python3, sweep/optuna_search.py]
      trials: 40
      batch: 4
      params: { lr: [1.0e-4, 1.0], momentum: [0.0, 0.99] }     # each drawn between the two
      objective: min metrics.val.loss

flow keeps the log of what was asked and told, and replays it; Optuna keeps nothing.
"""

import json
import sys

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

start, known, space, asked, study = {}, [], {}, {}, None


def make_study():
    """With all that is known; other draws than before, although the seed is the same."""
    direction = {"max": "maximize", "min": "minimize"}[start["objective"]["direction"]]
    seed = int(start.get("seed") or 0) + len(known)
    made = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=seed))
    made.add_trials(known)
    return made

for line in sys.stdin:
    message = json.loads(line)
    if "start" in message:
        start = message["start"]
        space = {
            name: FloatDistribution(low, high, log=low > 0 and high / low >= 100)
            for name, (low, high) in start["params"].items()
        }
    elif "replay" in message:
        params, value = message["replay"]["params"], message["replay"].get("value")
        state = TrialState.FAIL if value is None else TrialState.COMPLETE
        known.append(create_trial(state=state, params=params, distributions=space, value=value))
    elif "ask" in message:
        study = study or make_study()
        for _ in range(message["ask"]):
            trial = study.ask(space)
            asked[str(trial.number)] = trial
            print(json.dumps({"trial": trial.number, "params": trial.params}), flush=True)
    elif "tell" in message and message["tell"] in asked:
        state = TrialState.COMPLETE if message.get("value") is not None else TrialState.FAIL
        study.tell(asked.pop(message["tell"]), message.get("value"), state=state)
