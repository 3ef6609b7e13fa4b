"""`read_curves`: the trainings in any log, whoever wrote it."""

import contextlib
import gc
from collections.abc import Mapping

from keras_decay.curves.data.numbers import is_number
from keras_decay.curves.data.readers import found, names, objects, ultralytics
from keras_decay.curves.data.readers.runs import Run, runs
from keras_decay.ground import schema
from keras_decay.ground.validation import received


def read_curves(source, *, train=None, validation=None):
    """Read the trainings in a log, whichever program wrote it.

    Args:
        source: The path of a file or of a folder: rows of `LearningCurve`, `History`
            as JSON or as a pickle of plain numbers, a table with a header
            (`CSVLogger` with any separator, decimal commas, Lightning's `metrics.csv`,
            fastai, ultralytics' `results.csv`, exports of MLflow, W&B and
            TensorBoard), Hugging Face's `trainer_state.json`, TensorBoard's event
            files (with the package `tensorboard`), MLflow's local store. Or a
            `LearningCurve`, a `History`, a dict of lists, a list of dicts, a pandas
            data frame; or a list of paths of TensorBoard's downloads, which make one
            training. Nothing in a file is executed.
        train: The name of the column that is the training loss, if another than the
            one known by its name is meant.
        validation: The same for the validation loss.

    Returns:
        A list of runs, in the order of the source. A run is a list of rows, dicts with
        `epoch`, `loss`, `val_loss` and the other columns under Keras' names where a
        program calls them otherwise. Its attribute `notes` says what was left out or
        joined, `name` what the source calls the run.

    Raises:
        TypeError: If `source` is none of these.
        FileNotFoundError: If there is nothing at that path.
        ImportError: If event files are read without `tensorboard`.
        ValueError: If it is no learning curve; the message names the columns found.

    What cannot be read is left out, and a warning gives its lines.

    Example:

    ```python
    runs = kd.read_curves({"train_loss": [1.0, 0.5], "valid_loss": [1.1, 0.7]})
    print(len(runs), runs[-1][1]["val_loss"])
    ```
    """
    return read(source, "source", train, validation, stacklevel=3)


def read(source, name, train=None, validation_=None, stacklevel=2):
    """`read_curves` for callers whose argument has another name."""
    for argument, column in (("train", train), ("validation", validation_)):
        if column is not None and not isinstance(column, str):
            must = "the name of a column, or None"
            raise TypeError(received(argument, column, must))
    if isinstance(source, Run) and train is None and validation_ is None:
        return [source]
    if hasattr(source, "rows") and not hasattr(source, "to_dict"):
        rows = source.rows
        if train is None and validation_ is None and _is_ours(rows):
            return [rows if isinstance(rows, Run) else Run(rows)]
        source = rows
    with _without_collection():
        log = objects.log(source, name)
        ultralytics.summed(log)
        _check(log, train, validation_)
        all_runs = runs(log, train, validation_)
    for run in all_runs:
        run.notes = log.told.notes
    log.told.warn(stacklevel + 1)
    return all_runs


def as_run(source, name, run=-1, stacklevel=2):
    """The run of a source that is judged, the last one by default.

    Args:
        source: See `read_curves`.
        name: Name of the argument, for errors.
        run: Its number, from 0, or from −1 for the last backwards.
    """
    all_runs = read(source, name, stacklevel=stacklevel + 1)
    count = len(all_runs)
    if isinstance(run, bool) or not hasattr(run, "__index__"):
        raise TypeError(received("run", run, "a whole number"))
    if not -count <= run < count:
        must = f"from 0 to {count - 1}, or from -1 to -{count}"
        raise ValueError(received("run", run, must))
    return all_runs[run]


@contextlib.contextmanager
def _without_collection():
    """No search for cyclic garbage, which doubles the time that many rows take."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _is_ours(rows):
    return isinstance(rows, list) and all(
        isinstance(row, Mapping) and is_number(row.get(schema.EPOCH)) for row in rows
    )


def _check(log, train, validation_):
    """Refuse a file without any column that could be a loss."""
    if log.where == "the record" or train is not None or validation_ is not None:
        return
    rows = (one.row for part in log.parts for one in part)
    columns = log.columns or list({key: None for row in rows for key in row})
    if columns and not any(_is_of_a_curve(name) for name in columns):
        raise found.no_curve(
            log.told.name,
            "no column is known as a training or validation loss. Columns found: "
            + found.listed(columns),
        )


def _is_of_a_curve(name):
    ours = names.meaning(name) if isinstance(name, str) else None
    return ours is not None and ours.name in schema.LOSSES
