"""How long `keras_decay.AdamW` takes: the step alone, and a step of `fit`.

The sides take turns in one process per backend, and the best of each counts; warm-up
and compilation do not. On a machine with a GPU the backends that have it use it.

    python benchmarks/optimizer_step.py [--backend NAME] [--repeats N] [--quick]

A ratio is the time of `keras_decay.AdamW` divided by that of the peer named.
"""

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
import time

NAMES = ("tensorflow", "jax", "torch")
OURS, ZERO, ADAMW, ADAM = (
    "keras_decay.AdamW",
    "the same, λ = 0",
    "keras.optimizers.AdamW",
    "keras.optimizers.Adam",
)
# (peer, goal) of the step alone; None is measured without a goal.
STEP_GOALS = {
    "tensorflow": {ADAMW: 0.40, ZERO: 1.02, ADAM: None, "Adam under XLA": None},
    "jax": {ADAMW: 1.0, "optax.adamw": 1.0, ZERO: 1.02, ADAM: None},
    "torch": {ADAMW: 1.0, "torch.optim.AdamW(fused)": 1.0, ZERO: 1.02, ADAM: None},
}
WIDE_GOALS = {"tensorflow": 0.75, "jax": None, "torch": None}
TINY_GOAL = 1.02


def optimizer(name):
    """A new optimizer of that side, with equal settings."""
    import keras
    from _sides import DECAY, RATE

    import keras_decay as kd

    return {
        OURS: lambda: kd.AdamW(RATE, weight_decay=DECAY),
        ZERO: lambda: kd.AdamW(RATE, weight_decay=0.0),
        ADAMW: lambda: keras.optimizers.AdamW(RATE, weight_decay=DECAY),
        ADAM: lambda: keras.optimizers.Adam(RATE),
    }[name]()


def time_steps(backend, repeats, calls):
    """Of each side's step the best seconds, the first's, and the bytes at the peak."""
    from _measure import alternate

    sides = {name: backend.step(optimizer(name)) for name in (OURS, ZERO, ADAMW, ADAM)}
    sides |= {name: backend.rival(name) for name in backend.rivals}
    first = {}
    for name, side in sides.items():
        start = time.perf_counter()
        side(1)
        first[name] = time.perf_counter() - start
        side(2)
    seconds = alternate(sides, repeats, calls)
    return seconds, first, {name: backend.peak(side) for name, side in sides.items()}


def fit_side(backend, name, widths, batch, steps):
    """A function that runs one epoch of `fit` and returns its seconds per step."""
    import keras
    import numpy as np

    inputs = widths[0]
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((inputs,))]
        + [keras.layers.Dense(width, "relu") for width in widths]
    )
    model.compile(optimizer(name), "mse")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, inputs)).astype("float32")
    y = rng.normal(size=(batch, widths[-1])).astype("float32")

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = (time.perf_counter() - self.start) / steps

    clock, data = Clock(), backend.batches(x, y)

    def epoch():
        model.fit(data, steps_per_epoch=steps, verbose=0, callbacks=[clock])
        return clock.seconds

    return epoch


def time_fit(backend, widths, batch, repeats, steps):
    """The best seconds of a training step with our AdamW and with Keras' own."""
    sides = {n: fit_side(backend, n, widths, batch, steps) for n in (OURS, ADAMW)}
    for epoch in sides.values():
        epoch()
    best = dict.fromkeys(sides, float("inf"))
    for turn in range(repeats):
        for name in list(sides)[:: 1 if turn % 2 == 0 else -1]:
            best[name] = min(best[name], sides[name]())
    return best


def row(what, peer, ours, theirs, goal):
    ratio = ours / theirs
    wanted = "" if goal is None else f"≤ {goal:.2f}"
    reached = "" if goal is None else "yes" if round(ratio, 2) <= goal else "no"
    times = f"{1000 * ours:.3g} / {1000 * theirs:.3g} ms"
    return f"| {what} | {peer} | {ratio:.2f} | {wanted} | {reached} | {times} |"


def run(name, repeats, quick):
    """Measure one backend in this process and print its table."""
    import keras
    from _sides import BACKENDS, KERNELS, SIZE

    backend = BACKENDS[name]()
    version = importlib.metadata.version
    device = backend.device() or f"CPU, {len(os.sched_getaffinity(0))} cores"
    print(f"\n{name} {version(name)}, Keras {keras.__version__}, {device}; ", end="")
    print(f"{backend.note}; best of {repeats}\n")
    print("| what | against | ratio | goal | reached | ours / theirs |")
    print("|---|---|---|---|---|---|", flush=True)
    seconds, first, peaks = time_steps(backend, repeats, 1 if quick else 2)
    for peer, goal in STEP_GOALS[name].items():
        what = f"step, {KERNELS} kernels of {SIZE}²"
        print(row(what, peer, seconds[OURS], seconds[peer], goal), flush=True)
    wide = time_fit(backend, [1024] * 8, 32, repeats, 4 if quick else 10)
    what = "fit, 8 × Dense(1024), batch 32"
    print(row(what, ADAMW, wide[OURS], wide[ADAMW], WIDE_GOALS[name]), flush=True)
    tiny = time_fit(backend, [16] * 2, 32, 3 * repeats, 100 if quick else 200)
    what = "fit, 2 × Dense(16), batch 32"
    print(row(what, ADAMW, tiny[OURS], tiny[ADAMW], TINY_GOAL), flush=True)
    shown = [
        f"{side} {'not measured' if peak is None else f'{peak / 2**20:.0f} MiB'}"
        for side, peak in peaks.items()
    ]
    waits = [f"{side} {first[side]:.1f} s" for side in (OURS, ADAMW)]
    print(f"\nThe first step, with what is compiled: {'; '.join(waits)}")
    print(f"\nMemory at the peak of a step, beyond the state: {'; '.join(shown)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=NAMES, help="only this one")
    parser.add_argument("--repeats", type=int, default=12, help="turns of each side")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter turns")
    arguments = parser.parse_args()
    repeats = min(arguments.repeats, 3) if arguments.quick else arguments.repeats
    if arguments.backend:
        os.environ["KERAS_BACKEND"] = arguments.backend
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        run(arguments.backend, repeats, arguments.quick)
        return
    print(f"{platform.processor() or platform.machine()}, Python", end=" ")
    print(platform.python_version(), flush=True)
    given = sys.argv[1:]
    for name in NAMES:
        command = [sys.executable, __file__, "--backend", name, *given]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
