"""How long a search takes: 25 strengths × 5 folds × 4 seeds of the diabetes network.

`DecaySearchCV` trains all 500, compilation and all. Beside it, in turn and in the same
process, the peers train as many as they need for a time per training, which is
multiplied by 500: scikit-learn's `GridSearchCV` over `keras.wrappers.SKLearnRegressor`,
and KerasTuner's `GridSearch` where it is installed. The best of the turns counts.

The share of the machine: the floating-point operations of the search's matrix products
in a second, divided by what the backend reaches for nothing but such products, stacked
by 8 and compiled.

    python benchmarks/search.py [--backend NAME …] [--repeats N] [--strengths N]
                                [--units N] [--layers N]
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import time

NAMES = ("tensorflow", "jax", "torch")
FOLDS, SEEDS, EPOCHS, BATCH = 5, 4, 100, 64
UNITS, LAYERS = 128, 6
STACK = 8


def data():
    from sklearn.datasets import load_diabetes
    from sklearn.preprocessing import scale

    x, y = load_diabetes(return_X_y=True)
    return scale(x).astype("float32"), scale(y).astype("float32")


def build(l2=1e-3):
    import keras

    model = keras.Sequential([keras.Input((10,))])
    for _ in range(LAYERS):
        penalty = keras.regularizers.L2(l2)
        model.add(keras.layers.Dense(UNITS, "relu", kernel_regularizer=penalty))
    model.add(keras.layers.Dense(1))
    model.compile("adam", "mse")
    return model


def ours(strengths):
    """Seconds of the whole search, and what it reports."""
    import keras_decay as kd

    search = kd.DecaySearchCV(
        build,
        {"l2": strengths},
        cv=FOLDS,
        seeds=SEEDS,
        epochs=EPOCHS,
        batch_size=BATCH,
        refit=False,
        verbose=False,
    )
    start = time.perf_counter()
    search.fit(*data())
    return time.perf_counter() - start, search


def grid_search():
    """Seconds of one training by scikit-learn's search, on three of the same folds."""
    import keras
    from sklearn.model_selection import GridSearchCV, KFold

    model = keras.wrappers.SKLearnRegressor(
        lambda X, y, l2: build(l2), model_kwargs={"l2": 1e-3}
    )
    x, y = data()
    folds = list(KFold(FOLDS).split(x))[:3]
    grid = {"model_kwargs": [{"l2": 1e-3}]}
    search = GridSearchCV(model, grid, cv=folds, refit=False)
    start = time.perf_counter()
    # Not as the regressor's `fit_kwargs`: scikit-learn's clones of it lose them.
    with contextlib.redirect_stdout(io.StringIO()):
        search.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    return (time.perf_counter() - start) / len(folds)


def keras_tuner():
    """Seconds of one training by KerasTuner, with a fifth of the rows held out."""
    import keras_tuner

    def hyper(hp):
        return build(hp.Choice("l2", [1e-4, 1e-3, 1e-2]))

    x, y = data()
    cut = len(x) * (FOLDS - 1) // FOLDS
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.GridSearch(hyper, objective="val_loss", directory=folder)
        start = time.perf_counter()
        tuner.search(
            x[:cut],
            y[:cut],
            validation_data=(x[cut:], y[cut:]),
            epochs=EPOCHS,
            batch_size=BATCH,
            verbose=0,
        )
        return (time.perf_counter() - start) / 3


def operations(rows):
    """Floating-point operations of the matrix products of one training."""
    inner = UNITS * UNITS * (LAYERS - 1)
    first, last = 10 * UNITS, UNITS
    train, valid = rows * (FOLDS - 1) / FOLDS, rows / FOLDS
    # Forward, and backward by the weights and by the inputs (the first layer's not).
    step = 2 * (3 * (inner + last) + 2 * first)
    return EPOCHS * (train * step + valid * 2 * (inner + first + last))


def rate(turns=2000):
    """The backend's rate of stacked matrix products, operations in a second."""
    import keras
    import numpy as np
    from keras import ops

    from keras_decay.ground.backend import programs

    rng = np.random.default_rng(0)
    a = ops.convert_to_tensor(rng.normal(size=(STACK, BATCH, UNITS)).astype("float32"))
    w = ops.convert_to_tensor(rng.normal(size=(STACK, UNITS, UNITS)).astype("float32"))
    w = w / np.float32(np.sqrt(UNITS))  # the product keeps its size

    def products(a, w, count):
        program = programs.current()
        return program.repeat(count, lambda i, carry: ops.matmul(carry, w), a)

    run = programs.current().compiled(products)
    count = ops.convert_to_tensor(np.int32(turns))
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        keras.ops.convert_to_numpy(run(a, w, count))
        best = min(best, time.perf_counter() - start)
    return 2 * STACK * BATCH * UNITS * UNITS * turns / best


def compare(repeats, strengths):
    import keras
    import numpy as np

    print(f"\n{LAYERS} layers of {UNITS} units")
    rows = len(data()[0])
    grid = [float(v) for v in np.logspace(-5, -1, strengths)]
    fits = len(grid) * FOLDS * SEEDS
    peers = {"GridSearchCV over SKLearnRegressor": grid_search}
    if importlib.util.find_spec("keras_tuner"):
        peers["KerasTuner's GridSearch"] = keras_tuner
    best = dict.fromkeys(["ours", *peers], float("inf"))
    for _ in range(repeats):
        for name, peer in peers.items():
            best[name] = min(best[name], peer())
        seconds, search = ours(grid)
        best["ours"] = min(best["ours"], seconds)
        groups = search.report_.groups
    backend = keras.backend.backend()
    version = importlib.metadata.version(backend)
    print(
        f"\n{backend} {version}, Keras {keras.__version__}, {os.cpu_count()} cores; "
        f"best of {repeats}. {fits} trainings by DecaySearchCV: {best['ours']:.1f} s, "
        f"{best['ours'] / fits * 1e3:.0f} ms each; {len(groups)} group(s), engine "
        f"{search.engine_}, {groups[0]['compilations']} compilation, "
        f"{groups[0]['width']} at once.\n"
    )
    print("| against | seconds a training | the whole search by DecaySearchCV |")
    print("|---|---|---|")
    for name in peers:
        ratio = best[name] * fits / best["ours"]
        print(f"| {name} | {best[name]:.2f} | {ratio:.1f} × faster |")
    reached, possible = operations(rows) * fits / best["ours"], rate()
    print(
        f"\nMatrix products: {reached / 1e9:.0f} of {possible / 1e9:.0f} GFLOP/s, "
        f"{reached / possible:.0%} of the backend's rate.",
        flush=True,
    )


def main():
    global UNITS, LAYERS
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", nargs="*", choices=NAMES, default=NAMES)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--strengths", type=int, default=25)
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    UNITS, LAYERS = arguments.units, arguments.layers
    if arguments.here:
        compare(arguments.repeats, arguments.strengths)
        return
    options = ["--repeats", arguments.repeats, "--strengths", arguments.strengths]
    options += ["--units", UNITS, "--layers", LAYERS]
    for backend in arguments.backend:
        subprocess.run(
            [sys.executable, __file__, "--here", *map(str, options)],
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "KERAS_BACKEND": backend},
            check=True,
        )


if __name__ == "__main__":
    main()
