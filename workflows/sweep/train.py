"""Fits a parabola to noisy points by gradient descent with momentum, in plain Python.

Tells its loss after every epoch, saves its state, and stops between two epochs when it is asked to:
by flow because the trial is not promising, by a scheduler, or by a person.
"""

import argparse
import json
import random
import time

import flow_task as flow


def points(seed, count=40):
    """Noisy points of 2x² - x + 0.5."""
    source = random.Random(seed)
    xs = [source.uniform(-1, 1) for _ in range(count)]
    return [(x, 2 * x * x - x + 0.5 + source.gauss(0, 0.1)) for x in xs]


def loss(weights, data):
    a, b, c = weights
    return sum((a * x * x + b * x + c - y) ** 2 for x, y in data) / len(data)


def step(weights, speed, data, lr, momentum):
    a, b, c = weights
    errors = [(a * x * x + b * x + c - y, x) for x, y in data]
    gradient = [sum(2 * error * x**power for error, x in errors) / len(data) for power in (2, 1, 0)]
    speed = [momentum * old - lr * slope for old, slope in zip(speed, gradient)]
    return [weight + move for weight, move in zip(weights, speed)], speed


def train(options):
    data, held_out = points(options.seed), points(1000)
    state = flow.checkpoint.load(default={"epoch": 0, "weights": [0.0] * 3, "speed": [0.0] * 3})
    for epoch in range(state["epoch"] + 1, options.epochs + 1):
        weights, speed = step(state["weights"], state["speed"], data, options.lr, options.momentum)
        state = {"epoch": epoch, "weights": weights, "speed": speed}
        flow.log_metrics({"loss": min(loss(weights, held_out), 1e9)}, step=epoch, name="val")
        flow.checkpoint.save(state, step=epoch)
        flow.progress(epoch, options.epochs, unit="epoch")
        time.sleep(options.pause)
        if epoch < options.epochs and flow.should_stop():
            flow.finish(done=False)
    return {"weights": state["weights"], "loss": loss(state["weights"], held_out)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds after each epoch")
    parser.add_argument("--test", help="a trained model to measure instead")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    if options.test:
        with open(options.test) as file:
            model = json.load(file)
        result = {"weights": model["weights"], "test_loss": loss(model["weights"], points(2000))}
        flow.log_metrics({"test.loss": result["test_loss"]})
    else:
        result = train(options)
    with open(options.out, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
