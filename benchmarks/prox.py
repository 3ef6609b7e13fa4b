"""How long the proximal step of every penalty takes, on a million float32 weights.

Each is compared with one multiplication of the same array by a number, in the same
process and by turns; the best of each counts. Both run as the backend runs them in
training: under XLA on TensorFlow, under `jax.jit`, eagerly on PyTorch. A multiplication
is bound by memory, so that a ratio of 1 means that the arithmetic is free.

    python benchmarks/prox.py [--backend NAME] [--repeats N] [--only PENALTY …]
"""

import argparse
import importlib.metadata
import os
import subprocess
import sys
import time

NAMES = ("tensorflow", "jax", "torch")
SIZE = 1000
STEP = 0.5


def penalties():
    """{how it is written: the penalty}; a new penalty is one line."""
    import keras_decay as kd

    return {
        "L1(0.1)": kd.L1(0.1),
        "L2(0.1)": kd.L2(0.1),
        "ElasticNet(0.1, 0.1)": kd.ElasticNet(0.1, 0.1),
        "HuberL1(0.1, 0.1)": kd.HuberL1(0.1, 0.1),
        "Lp(0.1, p=0.5)": kd.Lp(0.1, 0.5),
        "Lp(0.1, p=2/3)": kd.Lp(0.1, 2 / 3),
        "Lp(0.1, p=0.8)": kd.Lp(0.1, 0.8),
        "Lp(0.1, p=3/2)": kd.Lp(0.1, 1.5),
        "Lp(0.1, p=1.2)": kd.Lp(0.1, 1.2),
        "MCP(0.1)": kd.MCP(0.1),
        "SCAD(0.1)": kd.SCAD(0.1),
        "LogSum(0.1, 0.1)": kd.LogSum(0.1, 0.1),
        "GaussianPrior(1, 10)": kd.GaussianPrior(1.0, 10),
        "LaplacePrior(1, 10)": kd.LaplacePrior(1.0, 10),
        "StudentTPrior(3, 1, 10)": kd.StudentTPrior(3, 1.0, 10),
        "HorseshoePrior(1, 10)": kd.HorseshoePrior(1.0, 10),
        "L2SP(0.1, 1)": kd.L2SP(0.1, 1.0),
        "HoyerSquare(0.1)": kd.HoyerSquare(0.1),
        "TotalVariation(0.1, axis=0)": kd.TotalVariation(0.1, 0),
        "Nuclear(0.1)": kd.Nuclear(0.1),
        "SpectralNorm(0.1)": kd.SpectralNorm(0.1),
        "Orthogonal(0.1)": kd.Orthogonal(0.1),
        "GroupLasso(0.01)": kd.GroupLasso(0.01),
        "SparseGroupLasso(0.1, 0.01)": kd.SparseGroupLasso(0.1, 0.01),
        "MCP(0.1) + L1(0.1) + L2(0.1)": kd.MCP(0.1) + kd.L1(0.1) + kd.L2(0.1),
        "MCP(0.1) + LogSum(0.1, 0.1)": kd.MCP(0.1) + kd.LogSum(0.1, 0.1),
    }


def side(backend, function, w):
    """A function of a number of calls that runs them and waits for the last."""
    if backend == "tensorflow":
        import tensorflow as tf

        program = tf.function(function, jit_compile=True)

        def run(calls):
            for _ in range(calls):
                result = program(w)
            result.numpy()

    elif backend == "jax":
        import jax

        program = jax.jit(function)

        def run(calls):
            for _ in range(calls):
                result = program(w)
            result.block_until_ready()

    else:
        import torch

        def run(calls):
            with torch.no_grad():
                for _ in range(calls):
                    function(w)
            if torch.cuda.is_available():
                torch.cuda.synchronize()

    run(1)
    return run


def run(backend, repeats, only):
    """Measure one backend in this process and print its table."""
    import keras
    import numpy as np
    from _measure import alternate
    from keras import ops

    version = importlib.metadata.version(backend)
    print(f"\n{backend} {version}, Keras {keras.__version__}", end="; ")
    print(f"{SIZE}² float32, {len(os.sched_getaffinity(0))} cores, best of {repeats}\n")
    print("| prox of | one multiplication | prox / multiplication |")
    print("|---|---|---|", flush=True)
    rng = np.random.default_rng(0)
    w = ops.convert_to_tensor(rng.normal(size=(SIZE, SIZE)).astype("float32"))
    multiply = side(backend, lambda w: w * 0.999, w)
    for name, penalty in penalties().items():
        if only and not any(word in name for word in only):
            continue
        prox = side(backend, lambda w, penalty=penalty: penalty.prox(w, STEP), w)
        start = time.perf_counter()
        prox(1)
        seconds = time.perf_counter() - start
        turns = repeats if seconds < 1 else 3 if seconds < 10 else 1
        best = alternate({"prox": prox, "multiply": multiply}, turns, 1)
        ratio = best["prox"] / best["multiply"]
        print(f"| {name} | {1e3 * best['multiply']:.3g} ms | {ratio:.3g} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=NAMES, help="only this one")
    parser.add_argument("--repeats", type=int, default=15, help="turns of each side")
    parser.add_argument("--only", nargs="+", default=[], help="parts of their names")
    arguments = parser.parse_args()
    if arguments.backend:
        os.environ["KERAS_BACKEND"] = arguments.backend
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        run(arguments.backend, arguments.repeats, arguments.only)
        return
    for name in NAMES:
        command = [sys.executable, __file__, "--backend", name, *sys.argv[1:]]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
