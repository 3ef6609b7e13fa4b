"""Phases of a training: drops of the learning rate, restarts, thawed layers."""

from typing import NamedTuple

import numpy as np

from keras_decay.curves.data import columns
from keras_decay.ground import schema

# A drop halves the rate, nearly, after two epochs or more at one rate: a cosine or an
# exponential decay is no phase. A restart doubles it after it had fallen.
DROP = 0.6
RESTART = 1.9
SAME = 0.01
RATES = (schema.LEARNING_RATE, "lr")


class Phase(NamedTuple):
    """A change in how the model is trained, and its epoch.

    Attributes:
        epoch: The first epoch of the phase.
        kind: "drop", "restart" or "optimizer".
        words: What has changed, as the sentence says it.
    """

    epoch: int
    kind: str
    words: str

    @property
    def is_fresh(self):
        """Whether losses of before are no measure of those since."""
        return self.kind != "drop"


def phases(rows):
    """The changes that the rows tell of, in the order of their epochs.

    A drop is a fall of the learning rate to 0.6 of it or less, after two epochs or
    more at the same rate. A restart is a rise to 1.9 times or more, after the rate had
    fallen. Where the steps of the optimizer begin again the model was compiled anew,
    as it is when layers are thawed.

    Args:
        rows: The rows of one training.

    Returns:
        A list of `Phase`.
    """
    found = []
    for column in RATES:
        rates = columns.series(rows, column)
        if len(rates):
            found += _of_rates(rates)
            break
    steps = columns.series(rows, schema.STEP)
    for place in np.flatnonzero(np.diff(steps.values) < 0) + 1:
        epoch = int(steps.epochs[place])
        words = f"the optimizer began anew at epoch {epoch}"
        found.append(Phase(epoch, "optimizer", words))
    return sorted(found, key=lambda one: one.epoch)


def _of_rates(rates):
    found, highest = [], -np.inf
    values = rates.values
    for place in range(1, len(values)):
        last, now = float(values[place - 1]), float(values[place])
        highest = max(highest, last)
        epoch = int(rates.epochs[place])
        told = f"from {last:.2g} to {now:.2g} at epoch {epoch}"
        if not last > 0 or not np.isfinite(now):
            continue
        is_constant = place > 1 and abs(values[place - 2] - last) <= SAME * last
        if now <= DROP * last and is_constant:
            found.append(Phase(epoch, "drop", f"the learning rate fell {told}"))
        elif now >= RESTART * last and last < highest:
            found.append(Phase(epoch, "restart", f"the learning rate rose {told}"))
    return found
