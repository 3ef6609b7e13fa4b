"""Every candidate trained on the same rows: the function `sweep`."""

import math
import time

import numpy as np

from keras_decay.ground import validation
from keras_decay.search import _data
from keras_decay.search._arguments import (
    check_verbose,
    engine_arguments,
    seeds_of,
    settings_of,
)
from keras_decay.search._building import first_rows, length
from keras_decay.search._candidates import candidates_of_sweep
from keras_decay.search._progress import progress
from keras_decay.search._result import SweepResult
from keras_decay.search._run import run
from keras_decay.search._stopping import stopping_of
from keras_decay.search._weighting import check_rows
from keras_decay.search._work import Data, Job, Split, Task


def sweep(
    build,
    params,
    x,
    y,
    *,
    epochs,
    batch_size=32,
    validation_data=None,
    validation_split=0.0,
    seeds=1,
    sample_weight=None,
    class_weight=None,
    shuffle=True,
    early_stopping=None,
    max_parallel="auto",
    n_jobs=None,
    memory=None,
    engine="auto",
    keep_weights=False,
    verbose="auto",
):
    """Train a model for every candidate and seed, and keep all their learning curves.

    Every member is what

        model = build(**candidate)
        model.fit(x, y, epochs=epochs, batch_size=batch_size, …)

    gives after `keras.utils.set_random_seed(seed)`, with the rows of an epoch in the
    order of `kd.search.epoch_order`. Candidates that differ in numbers only, such as a
    strength or the learning rate, are trained at once in one program where that is
    possible; the result names its `engine`.

    Ctrl-C ends the training, and what is complete by then is returned; a
    KeyboardInterrupt is raised only if nothing is.

    Args:
        build: Function of the hyperparameters, by name, that returns a compiled
            `keras.Model`, a new one of new layers at each call. Numbers arrive as
            Python's own.
        params: Dict from names of parameters to lists of values, of which every
            combination is a candidate; or a list of dicts, each a candidate.
        x: Inputs as `fit` takes them: arrays, data frames, lists or dicts of these. Not
            generators or data sets.
        y: Targets, likewise.
        epochs: Whole number of at least 1.
        batch_size: Whole number of at least 1; the last batch may be smaller.
        validation_data: `(x, y)` or `(x, y, sample_weight)` to validate on after each
            epoch, or None.
        validation_split: Share of the rows, from the end of `x` and before shuffling,
            to validate on instead, at least 0 and less than 1.
        seeds: A number n, for the seeds 0 to n − 1, or a list of whole numbers of at
            least 0. A seed decides the initial weights, dropout and the order of rows.
        sample_weight: One non-negative number for each row, or None. As in `fit`, the
            rows of a `validation_split` are weighted too.
        class_weight: Dict from classes to numbers that weight the training loss, or
            None. It may be combined with `sample_weight`: they are multiplied.
        shuffle: Whether each epoch has an order of its own.
        early_stopping: A `keras.callbacks.EarlyStopping` that is applied to each
            member by itself, or None. It may monitor "val_data_loss" too.
        max_parallel: The largest number of members that are trained at once, or
            "auto".
        n_jobs: Number of workers, as joblib takes it, or None for this process alone.
        memory: Path of a folder in which finished work is kept, so that the same call
            goes on after a crash; or None.
        engine: "auto", or "vectorized" or "sequential" to force one.
        keep_weights: Whether to keep every member's weights.
        verbose: True for a progress bar, or plain lines where there is no terminal;
            "auto" for the bar alone; False for nothing.

    Returns:
        A `SweepResult`.

    Raises:
        TypeError, ValueError: If an argument is not as described, if all rows to train
            or to validate on have the weight zero, if two calls of `build` share what
            training changes, or if the only parameter that varies changes nothing in
            the models. It names the argument, and nothing has been trained then.

    Example:

    ```python
    def build(l2=0.0, rate=1e-3):
        layers = [
            keras.layers.Dense(64, "relu", kernel_regularizer=kd.L2(l2)),
            keras.layers.Dense(1),
        ]
        model = keras.Sequential(layers)
        model.compile(keras.optimizers.Adam(rate), "mse")
        return model


    result = kd.sweep(
        build, {"l2": [0, 1e-4, 1e-3, 1e-2]}, x, y,
        epochs=50, validation_split=0.2, seeds=3,
    )
    print(result)
    kd.plot_curves({str(p): c for p, c in zip(result.params, result.curves)})
    ```
    """
    start = time.perf_counter()
    candidates = candidates_of_sweep(build, params)
    seeds = seeds_of(seeds)
    data, split = _pool(
        x, y, validation_data, validation_split, sample_weight, class_weight
    )
    stopping = stopping_of(early_stopping, len(split.valid) > 0)
    keep_weights = validation.boolean("keep_weights", keep_weights)
    settings = settings_of(
        epochs, batch_size, shuffle, stopping, keep_weights=keep_weights
    )
    how = engine_arguments(engine, max_parallel, n_jobs, memory)
    check_verbose(verbose)
    given = {"sample_weight": sample_weight, "class_weight": class_weight}
    remedy = "Mix the rows before, or leave out those of weight zero"
    check_rows(data.weight, split.train, given, "that is trained on", remedy)
    given.pop("class_weight")
    check_rows(data.valid_weight, split.valid, given, "to validate on", remedy)
    job = Job(build, candidates, [split], data, settings)
    tasks = [Task(c, 0, seed) for c in range(len(candidates)) for seed in seeds]
    with progress(verbose, "trainings") as show:
        outcomes, report = run(job, tasks, progress=show, **how)
    if all(outcome is None for outcome in outcomes):
        raise KeyboardInterrupt
    table = [outcomes[i : i + len(seeds)] for i in range(0, len(outcomes), len(seeds))]
    return SweepResult(
        job, seeds, table, report, time.perf_counter() - start, first_rows(data.x, 1)
    )


def _pool(x, y, validation_data, validation_split, sample_weight, class_weight):
    """The `Data` of training rows followed by those to validate on, and the `Split`."""
    x, y = _data.arrays("x", x), _data.arrays("y", y)
    rows = length(x)
    _data.check_rows("y", y, rows)
    weight = _data.weights("sample_weight", sample_weight, rows)
    by_class = _data.class_weights(class_weight, y)
    share = validation.number("validation_split", validation_split, minimum=0)
    if share >= 1:
        must = "at least 0 and less than 1"
        raise ValueError(validation.received("validation_split", share, must))
    if validation_data is None:
        split_at = math.floor(rows * (1 - share))
        if not split_at or (share and split_at == rows):
            must = f"a share that leaves rows on both sides of {rows}"
            raise ValueError(validation.received("validation_split", share, must))
        valid_weight = weight if share else None
        data = Data(x, y, _data.product(weight, by_class), valid_weight)
        return data, Split(np.arange(split_at), np.arange(split_at, rows))
    if share:
        must = "0 where validation_data is given"
        raise ValueError(validation.received("validation_split", share, must))
    val_x, val_y, val_weight = _validation_data(validation_data)
    more = length(val_x)
    training = _data.product(weight, by_class)
    data = Data(
        _data.joined(x, val_x),
        _data.joined(y, val_y),
        None if training is None else np.pad(training, (0, more), constant_values=1),
        None
        if val_weight is None
        else np.pad(val_weight, (rows, 0), constant_values=1),
    )
    return data, Split(np.arange(rows), np.arange(rows, rows + more))


def _validation_data(validation_data):
    must = "a tuple (x, y) or (x, y, sample_weight)"
    if not isinstance(validation_data, (tuple, list)):
        raise TypeError(validation.received("validation_data", validation_data, must))
    if len(validation_data) not in (2, 3):
        raise ValueError(
            f"`validation_data` must be {must}. Received: a tuple of "
            f"{len(validation_data)}"
        )
    x, y, *weight = validation_data
    x, y = _data.arrays("validation_data[0]", x), _data.arrays("validation_data[1]", y)
    rows = length(x)
    _data.check_rows("validation_data[1]", y, rows, of="validation_data[0]")
    weight = _data.weights("validation_data[2]", weight[0] if weight else None, rows)
    return x, y, weight
