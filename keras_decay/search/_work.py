"""What a search consists of: tasks on one pool of rows, and what comes of them.

Everything here is plain data that can be sent to another process. The layers above
(`sweep`, `DecaySearchCV`) turn their arguments into a `Job` and a list of `Task`s; the
engines turn a task into an `Outcome`, and know nothing of folds or scores.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from keras_decay.ground import schema


class Task(NamedTuple):
    """One training: a candidate, a seed, and the rows to train on and to validate on.

    `candidate` and `rows` are indices into the `Job`'s `candidates` and `splits`.
    """

    candidate: int
    split: int
    seed: int


@dataclass(frozen=True)
class Split:
    """Rows of the pool: to train on, and to validate on (there may be none)."""

    train: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True)
class Data:
    """The pool of rows that every task takes its own from.

    Attributes:
        x: An array, or a list or dict of arrays, as the model takes them.
        y: The same for the targets.
        weight: One number for each row, or None. It weights the training loss.
        valid_weight: The same for the validation loss (class weights do not).
    """

    x: Any
    y: Any
    weight: np.ndarray | None = None
    valid_weight: np.ndarray | None = None


@dataclass(frozen=True)
class Stopping:
    """Early stopping of each training by itself, as `keras.callbacks.EarlyStopping`.

    Attributes:
        monitor: A key of the history, such as "val_loss" or "val_data_loss".
        mode: "min" or "max".
        start: The first epoch that counts, from 0 on.
    """

    monitor: str = schema.VAL_LOSS
    patience: int = 0
    min_delta: float = 0.0
    mode: str = "min"
    baseline: float | None = None
    restore_best_weights: bool = False
    start: int = 0


@dataclass(frozen=True)
class Settings:
    """How each task is trained.

    Attributes:
        shuffle: Whether the rows are shuffled in each epoch, in the order of
            `epoch_order`.
        predict: Whether the outcome holds the predictions of the rows to validate on.
        keep_weights: Whether the outcome holds the weights.
    """

    epochs: int
    batch_size: int = 32
    shuffle: bool = True
    stopping: Stopping | None = None
    predict: bool = False
    keep_weights: bool = False


@dataclass(frozen=True)
class Job:
    """All that a worker needs in order to train any task.

    Attributes:
        build: Function of the hyperparameters, by name, that returns a compiled model.
        candidates: The hyperparameters of each candidate.
    """

    build: Callable[..., Any]
    candidates: list[dict[str, Any]]
    splits: list[Split]
    data: Data
    settings: Settings


@dataclass
class Outcome:
    """What came of a task.

    Attributes:
        history: For each key an array with one number for each epoch that was trained:
            "loss", "data_loss", "penalty", the metrics' names, and "val_…" of those
            where there are rows to validate on.
        best_epoch: The epoch whose weights were restored, or None.
        predictions: Of the model at the end, for the rows to validate on, in their
            order; or None.
        weights: As `model.get_weights()` gives them; or None.
        engine: "vectorized" or "sequential".
        group: The number of the group of candidates it was trained with.
        seconds: Its share of the time of training.
    """

    history: dict[str, np.ndarray]
    best_epoch: int | None = None
    predictions: Any = None
    weights: list[np.ndarray] | None = None
    engine: str = "sequential"
    group: int | None = None
    seconds: float = 0.0


@dataclass
class Report:
    """How the work was done.

    Attributes:
        groups: A dict for each group of candidates: "candidates", their numbers;
            "engine", and the "reason" why it was not "vectorized" (else None);
            "compilations", the number of programs that a process compiled for it, of
            several processes the largest; "width", the number of tasks that a program
            trained at once; and "seconds", the time that its trainings took, summed
            over processes. Of a group that `memory` had all of, nothing was compiled
            and the time is 0.
        remembered: The number of tasks whose outcome was in `memory`.
        interrupted: Whether Ctrl-C has ended the search.
    """

    groups: list[dict[str, Any]] = field(default_factory=list)
    remembered: int = 0
    interrupted: bool = False


def epoch_order(seed, epoch, n):
    """The order in which a task shows its `n` rows in an epoch.

    A function of the seed and the epoch alone, the same on every backend, machine and
    engine, so that a training can be repeated by a plain `fit`:

    ```python
    for epoch in range(epochs):
        rows = kd.search.epoch_order(seed, epoch, len(x))
        model.fit(
            x[rows], y[rows], shuffle=False, initial_epoch=epoch, epochs=epoch + 1
        )
    ```

    Args:
        seed: The task's seed, an integer of at least 0.
        epoch: From 0 on.
        n: The number of rows.

    Returns:
        An integer array of shape (n,).
    """
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(n)
