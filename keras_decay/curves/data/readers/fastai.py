"""fastai's `CSVLogger`: every metric without a mark is one of validation.

The header is `epoch,train_loss,valid_loss,…,time`, and `train_metrics=True` marks the
metrics with `train_` and `valid_`.
"""

from keras_decay.curves.data.readers.found import Log
from keras_decay.ground import schema

_START, _END = ["epoch", "train_loss", "valid_loss"], "time"


def log(records, names, told):
    """The `Log` of a table of fastai, or None if it is none."""
    if names[:3] != _START or names[-1] != _END:
        return None
    metrics = [
        name for name in names[3:-1] if not name.startswith(("train_", "valid_"))
    ]
    ours = {name: schema.VALIDATION + name for name in metrics}
    marked = [
        one._replace(row={ours.get(name, name): v for name, v in one.row.items()})
        for one in records
    ]
    return Log([marked], told, "the file")
