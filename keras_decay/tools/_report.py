"""`Audit`: the result, as rows, as a data frame, and as text for a terminal."""

import shutil

from keras_decay.ground.frames import data_frame
from keras_decay.tools._rows import COLUMNS
from keras_decay.tools._text import render


class Audit:
    """What `audit` has found: one row for each variable, and warnings.

    Attributes:
        rows: A list of dictionaries, one for each variable, with the keys
            `path`, `shape`, `dtype`, `role`, `trainable`, `optimizer`,
            `penalty` (in the loss, with its convention of λ),
            `decay` (in the optimizer, as text), `strength` (λ as a number),
            `coupling`, `rate_factor` (of a rule on the learning rate of the variable),
            `promised_shrink` and `measured_shrink` (the share of the weight
            that a step takes away, by the settings and in the probe),
            `shrink_per_step` (the effective one), `shrink_per_epoch`,
            `half_life_steps`, `half_life_epochs`, `planned_total` (Σ c_t λ_t over the
            run) and `probe` (how measurement and promise compare). What is not known
            is None.
        warnings: A list of findings with `code`, `paths`, `sentence` and `remedy`.
        header: What holds for the whole model: optimizer, learning rate, XLA.
        ok: Whether there are no warnings.

    `str(audit)` is a table for a terminal, followed by the warnings.

    Example:

    ```python
    report = kd.audit(model)
    report.to_dataframe().sort_values("shrink_per_step")
    ```
    """

    def __init__(self, rows, warnings, header):
        self.rows = rows
        self.warnings = warnings
        self.header = header

    @property
    def ok(self):
        """Whether there is nothing to warn of."""
        return not self.warnings

    def to_dataframe(self):
        """The rows as a pandas data frame."""
        return data_frame(self.rows, list(COLUMNS))

    def to_dict(self):
        """Everything as plain values, fit for JSON."""
        return {
            "ok": self.ok,
            "header": self.header,
            "warnings": [warning.to_dict() for warning in self.warnings],
            "rows": [row | {"shape": list(row["shape"])} for row in self.rows],
        }

    def __str__(self):
        return render(self, shutil.get_terminal_size((100, 24)).columns)

    def __repr__(self):
        return f"Audit({len(self.rows)} variables, {len(self.warnings)} warnings)"
