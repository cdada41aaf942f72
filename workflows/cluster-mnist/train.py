"""Softmax regression on handwritten digits, in slices of a few seconds, on whatever node the slice gets.

    python3 train.py --data FOLDER --epochs N --slice SECONDS --out FILE [--digits N]

When the slice is over, or when it is asked to stop, it saves and exits with a code that asks to be run
again; run again, it goes on where it was. Plain Python, nothing to install.
"""

import argparse
import gzip
import json
import math
import os
import random
import sys

import flow_task
from flow_task import ClusterStateManager

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("--epochs", type=int, required=True)
parser.add_argument("--slice", type=float, required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--digits", type=int, default=3000)
options = parser.parse_args()


def read_idx(name):
    """The bytes of a gzipped IDX file, without its header."""
    with gzip.open(os.path.join(options.data, name + ".gz")) as file:
        data = file.read()
    return data[4 + 4 * data[3] :]


def read_digits(part, most):
    """Pairs of inked pixels (position, darkness from 0 to 1) and the digit they show."""
    pixels, labels = read_idx(part + "-images-idx3-ubyte"), read_idx(part + "-labels-idx1-ubyte")
    size = 28 * 28
    return [
        ([(at, ink / 255) for at, ink in enumerate(pixels[n * size : (n + 1) * size]) if ink], labels[n])
        for n in range(min(most, len(labels)))
    ]


def probabilities(weights, ink):
    scores = [row[-1] + sum(row[at] * dark for at, dark in ink) for row in weights]
    largest = max(scores)
    powers = [math.exp(score - largest) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def learn(weights, ink, label, step):
    for digit, probability in enumerate(probabilities(weights, ink)):
        change = step * ((digit == label) - probability)
        row = weights[digit]
        row[-1] += change
        for at, dark in ink:
            row[at] += change * dark


model = flow_task.checkpoint.load(default={"epoch": 0, "digit": 0, "slices": 0, "weights": None})
weights = model["weights"] or [[0.0] * (28 * 28 + 1) for _ in range(10)]
model["slices"] += 1
print(f"slice {model['slices']} begins at epoch {model['epoch']}, digit {model['digit']}", flush=True)
digits = read_digits("train", options.digits)
# The slice begins here: however long it took to get here, some work is done in it.
state = ClusterStateManager(time_to_run=options.slice)

while model["epoch"] < options.epochs and not state.should_exit():
    order = list(range(len(digits)))
    random.Random(model["epoch"]).shuffle(order)
    while model["digit"] < len(digits) and not state.should_exit():
        learn(weights, *digits[order[model["digit"]]], step=0.02)
        model["digit"] += 1
    if model["digit"] == len(digits):
        model["epoch"], model["digit"] = model["epoch"] + 1, 0
        flow_task.progress(model["epoch"], options.epochs)

if model["epoch"] < options.epochs:
    model["weights"] = weights
    flow_task.checkpoint.save(model, step=model["epoch"] * len(digits) + model["digit"])
    print(f"slice {model['slices']} ends at epoch {model['epoch']}, digit {model['digit']}", flush=True)
    sys.exit(state.get_exit_code())

tests = read_digits("t10k", 1000)
right = 0
for ink, label in tests:
    scores = probabilities(weights, ink)
    right += scores.index(max(scores)) == label
with open(options.out, "w") as file:
    json.dump({"accuracy": right / len(tests), "epochs": model["epoch"], "slices": model["slices"]}, file)
print(f"accuracy {right / len(tests):.3f} after {model['slices']} slices")
