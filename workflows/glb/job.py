"""A job that stands in for a training run: it imports for a while, takes GPU memory, computes.

With PyTorch and a GPU it really allocates. With simulated GPUs (FAKE_NVML, see the tests) it writes
down what it would hold. Without either it only spends the time, so the example runs anywhere.
"""

import argparse
import json
import os
import signal
import sys
import time

MIB = 1024 * 1024


def simulated(mib):
    """Hold memory of a simulated GPU; fail as PyTorch does when there is not enough."""
    state = os.environ["FAKE_NVML"]
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    if not gpu:
        return
    total = next(
        int(line.split()[3]) - int(line.split()[4])
        for line in open(state)
        if line.startswith("gpu " + gpu)
    )
    held = 0
    for name in os.listdir(state + ".d"):
        pid, _, where = name.partition(".")
        if where != gpu or pid == str(os.getpid()):
            continue
        try:
            os.kill(int(pid), 0)
            held += int(open(os.path.join(state + ".d", name)).read() or 0)
        except (OSError, ValueError):
            pass
    if held + mib > total:
        sys.exit(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate %.2f GiB. GPU 0 has a total "
            "capacity of %.2f GiB of which %.2f GiB is free."
            % (mib / 1024, total / 1024, (total - held) / 1024)
        )
    own = os.path.join(state + ".d", "%d.%s" % (os.getpid(), gpu))
    with open(own, "w") as out:
        out.write(str(mib))


def allocate(mib):
    if "FAKE_NVML" in os.environ:
        return simulated(mib)
    if not os.environ.get("CUDA_VISIBLE_DEVICES"):
        return None
    try:
        import torch
    except ImportError:
        return None
    return torch.empty(mib * MIB, dtype=torch.uint8, device="cuda")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", default="numpy")
    parser.add_argument("--mib", type=int, default=1200)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
    time.sleep(0.2 * options.seconds)
    held = allocate(options.mib)
    time.sleep(0.8 * options.seconds)
    del held
    if options.out:
        with open(options.out, "w") as out:
            gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
            json.dump({"kind": options.kind, "seed": options.seed, "gpus": gpus}, out)


if __name__ == "__main__":
    main()
