"""Which rows of a curve still hold when training begins: restart or continuation."""

import warnings

from keras_decay.curves.data.rows import read, rewrite


def resume(path, rows, step, *, epoch=0, overwrite=False, was_killed=False):
    """The rows that the coming epochs follow on, in memory and in the file.

    Rows beyond the model's present step belong to a future that was lost when training
    crashed, or to another model: they are superseded. What is left goes on.

    Args:
        path: Path of the curve's file, or None.
        rows: The rows in memory.
        step: Steps that the model's optimizer has made, or None.
        epoch: Number of the first epoch of this `fit`, its `initial_epoch`.
        overwrite: Whether all rows of a file may be superseded by a fresh model.
        was_killed: Whether the last training that wrote the file was killed.

    Returns:
        A list of rows.

    Raises:
        ValueError: If the model is fresh, the file is not, and `overwrite` is False;
            or if the file is no learning curve.
    """
    torn, found = False, rows
    if path is not None and path.exists():
        found, torn = read(path)
        # Killed after its first row and before the model was saved for the first time,
        # a training starts afresh, and has lost this one row.
        lost = was_killed and len(found) == 1
        if found and step == 0 and epoch == 0 and not (overwrite or lost):
            raise ValueError(
                f"`path` {str(path)!r} holds a curve of {len(found)} epochs, but the "
                "optimizer of this model has made no step yet: is it another training? "
                "Give another `path`, or overwrite=True to start the file anew, or "
                f"`fit` initial_epoch={found[-1]['epoch'] + 1} to go on with the curve "
                "under a new optimizer."
            )
        rows = found or rows
    kept = rows_that_hold(rows, step, epoch)
    if path is None and len(kept) < len(rows):
        warnings.warn(
            f"LearningCurve drops {len(rows) - len(kept)} rows from memory: the model "
            "has made fewer steps than they tell of. Use another LearningCurve for "
            "another training, or give it a `path`.",
            stacklevel=2,
        )
    if path is not None and (torn or not path.exists() or len(kept) != len(found)):
        rewrite(path, kept)
    return kept


def rows_that_hold(rows, step, epoch=0):
    """The rows that lie in the past of a model whose optimizer has made `step` steps.

    A new optimizer counts its steps from 0. So the last stretch of rows along which
    the steps rise is that of the present optimizer, and only these can be superseded;
    all of it where the model is fresh, unless `epoch`, the first one to be trained,
    says where the curve goes on.

    Args:
        rows: The rows of a curve.
        step: Steps that the optimizer has made, or None if that is unknown.
        epoch: Number of the first epoch of this `fit`.

    Returns:
        A list of the first of these rows.
    """
    if step is None:
        return list(rows)
    if step == 0:
        return [row for row in rows if row["epoch"] < epoch]
    for index in range(_last_stretch(rows), len(rows)):
        if rows[index].get("step") is not None and rows[index]["step"] > step:
            return rows[:index]
    return list(rows)


def _last_stretch(rows):
    """The index from which on every step is greater than the one before."""
    last = None
    for index in range(len(rows) - 1, -1, -1):
        step = rows[index].get("step")
        if step is None:
            continue
        if last is not None and step >= last:
            return index + 1
        last = step
    return 0
