"""Fits a line by gradient descent, the way a program for MLXP is written.

    python main.py                                    one run in logs/<id>
    python main.py optimizer.lr=10.,1. seed=1,2       four, one after another
    flow sub script.sh                                eight jobs, none of them twice

Only the import differs from MLXP's own: ``import flow_task as mlxp`` would run its programs too.
A run that was stopped goes on from its last epoch.
"""

import random

import flow_task as flow


@flow.launch(config_path="./configs", seeding_function=random.seed)
def train(ctx):
    config, logger = ctx.config, ctx.logger
    print(config)
    try:
        state = logger.load_checkpoint(log_name="last_ckpt")
    except flow.CheckpointNotFound:
        state = {"epoch": 0, "slope": random.random()}
    print(f"starting from epoch {state['epoch']}")
    points = [index / config.model.num_units for index in range(1, config.model.num_units + 1)]
    for epoch in range(state["epoch"], config.num_epoch):
        loss = sum((state["slope"] - 3) ** 2 * x * x for x in points) / len(points)
        gradient = sum(2 * (state["slope"] - 3) * x * x for x in points) / len(points)
        state = {"epoch": epoch + 1, "slope": state["slope"] - config.optimizer.lr / 10 * gradient}
        logger.log_metrics({"loss": loss, "epoch": epoch}, log_name="train")
        logger.log_checkpoint(state, log_name="last_ckpt")
        if flow.should_stop():
            flow.finish(done=False)


if __name__ == "__main__":
    train()
