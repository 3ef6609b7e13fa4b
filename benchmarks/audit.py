"""What the first `audit` of a model costs, against the first step that trains it.

The processor's time, all threads together, of `kd.audit(model)` and of one step of
`fit` with Keras' own AdamW on the same model. Both include what the first of its kind
includes: creating the optimizer's variables, tracing, compiling. So each repeat is a
new process, and the sides take turns; the best of each counts. Building the model does
not count.

    python benchmarks/audit.py [--backend NAME] [--model NAME] [--repeats N]

A ratio is the time of the audit divided by that of the step.
"""

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import time

NAMES = ("tensorflow", "jax", "torch")
GOAL = 1.3
SIDES = ("audit", "step")
BATCH, SHAPE = 8, (224, 224, 3)


def measure(side, model_name):
    """The processor's seconds of one side, in this process."""
    import keras
    import numpy as np

    import keras_decay as kd

    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, model_name)(
        input_shape=SHAPE, weights=None, classes=10
    )
    make = kd.AdamW if side == "audit" else keras.optimizers.AdamW
    model.compile(make(1e-3, weight_decay=0.004), "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(BATCH, *SHAPE))
    x, y = x.astype("float32"), np.arange(BATCH) % 10
    start = time.process_time()
    if side == "audit":
        assert len(kd.audit(model).rows) == len(model.weights)
    else:
        model.fit(x, y, batch_size=BATCH, verbose=0)
    return time.process_time() - start


def run(backend, side, model_name):
    """The same in a new process."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--side", side, "--model", model_name]
    done = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=NAMES)
    parser.add_argument("--model", default="MobileNetV3Small")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(measure(arguments.side, arguments.model))
        return
    versions = {name: importlib.metadata.version(name) for name in ("keras", *NAMES)}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"{arguments.model}; Python {platform.python_version()}, {listed}\n")
    print(f"| backend | ratio (goal {GOAL}) | first audit | first step |")
    print("|---|---|---|---|")
    for backend in [arguments.backend] if arguments.backend else NAMES:
        seconds = {side: [] for side in SIDES}
        for turn in range(arguments.repeats):
            for side in SIDES if turn % 2 == 0 else reversed(SIDES):
                seconds[side].append(run(backend, side, arguments.model))
        audit, step = (min(seconds[side]) for side in SIDES)
        print(f"| {backend} | {audit / step:.2f} | {audit:.1f} s | {step:.1f} s |")


if __name__ == "__main__":
    main()
