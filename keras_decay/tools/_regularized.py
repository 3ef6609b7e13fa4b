"""`Regularized`: what `regularize` has done, as rows and as text."""

import shutil

from keras_decay.ground import tables
from keras_decay.ground.frames import data_frame
from keras_decay.tools._penalties import described
from keras_decay.tools._text import wrapped

COLUMNS = ("path", "shape", "penalty", "before", "saved")
TITLES = {key: key for key in COLUMNS} | {"path": "variable"}


class Regularized:
    """What `regularize` has matched and attached.

    Attributes:
        rows: A list of dictionaries, one for each variable that a rule matched, with
            the keys `path`, `shape`, `penalty` (as text, with its convention of λ; None
            where it was removed), `before` (the penalty that it replaced, or None) and
            `saved` (whether a saved model will have it).
        unmatched: The number of trainable variables that no rule matched.

    `str(report)` is a table for a terminal.

    Example:

    ```python
    print(kd.regularize(model, kd.L2(1e-3)))
    ```
    """

    def __init__(self, rows, unmatched):
        self.rows = rows
        self.unmatched = unmatched

    @classmethod
    def of(cls, attachment, trainable):
        """The report of an `Attachment` to a model with so many trainable variables."""
        rows = [
            {
                "path": outcome.variable.path,
                "shape": tuple(outcome.variable.shape),
                "penalty": _text(outcome.penalty),
                "before": _text(outcome.before),
                "saved": outcome.lost is None,
            }
            for outcome in attachment.outcomes
        ]
        return cls(rows, trainable - len(rows))

    def to_dataframe(self):
        """The rows as a pandas data frame."""
        return data_frame(self.rows, list(COLUMNS))

    def __str__(self):
        width = max(60, shutil.get_terminal_size((100, 24)).columns)
        texts = [_cells(row) for row in self.rows]
        keys = [key for key in COLUMNS if key == "path" or any(t[key] for t in texts)]
        if all(row["saved"] for row in self.rows):
            keys.remove("saved")
        columns = [
            tables.Column(TITLES[key], wraps=key in ("penalty", "before"))
            for key in keys
        ]
        table = tables.text_table(columns, [[t[k] for k in keys] for t in texts], width)
        note = f"and {self.unmatched} trainable variables that no rule matched"
        unsaved = "no: the saved model will not have it"
        parts = [table]
        if "saved" in keys:
            parts.append(wrapped(unsaved, width))
        if self.unmatched:
            parts.append(note)
        return "\n\n".join(parts)

    def __repr__(self):
        return f"Regularized({len(self.rows)} variables, {self.unmatched} unmatched)"


def _text(penalty):
    return None if penalty is None else described(penalty) or "zero"


def _cells(row):
    return {
        "path": row["path"],
        "shape": "×".join(map(str, row["shape"])) or "scalar",
        "penalty": row["penalty"] or "none",
        "before": row["before"] or "",
        "saved": "yes" if row["saved"] else "no",
    }
