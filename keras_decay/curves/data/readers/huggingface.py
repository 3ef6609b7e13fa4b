"""Hugging Face's `trainer_state.json`: training and evaluation as rows of their own.

A row of training gives the mean loss of the last `logging_steps`; a row of evaluation
follows it. The epoch is a fraction and, in older versions, rounded, so that the step
orders the rows.
"""

from keras_decay.curves.data.readers import found
from keras_decay.curves.data.readers.found import Log, Record

STATE = "log_history"
FILE = "trainer_state.json"
_SPEEDS = ("_runtime", "_per_second", "total_flos", "_compilation_time")


def log(state, told):
    """The `Log` of a decoded state.

    Args:
        state: Dict with the key `log_history`.
        told: `Told`.
    """
    rows = state[STATE]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise found.no_curve(told.name, f"{STATE!r} is no list of rows")
    if not rows:
        remedy = "Has the Trainer logged anything yet (logging_steps)?"
        raise found.no_curve(told.name, f"{STATE!r} is empty", remedy)
    records = [
        Record(place, {k: v for k, v in row.items() if not _is_speed(k)})
        for place, row in enumerate(rows, 1)
        if "train_runtime" not in row  # the summary of the training
    ]
    return Log([records], told, "the file", by_step=True)


def _is_speed(name):
    return isinstance(name, str) and name.endswith(_SPEEDS)
