"""One row a variable: what the settings say, what the probe measured, what follows."""

import math
from dataclasses import dataclass
from typing import Any

from keras_decay.models import role_of
from keras_decay.tools._penalties import described, l2_within
from keras_decay.tools._plan import steps_per_epoch_of

COLUMNS = (
    "path",
    "shape",
    "dtype",
    "role",
    "trainable",
    "optimizer",
    "penalty",
    "decay",
    "strength",
    "coupling",
    "rate_factor",
    "promised_shrink",
    "measured_shrink",
    "shrink_per_step",
    "shrink_per_epoch",
    "half_life_steps",
    "half_life_epochs",
    "planned_total",
    "probe",
)


@dataclass(frozen=True, eq=False)  # Keras' variables compare by their entries
class Subject:
    """A variable with all that is known of it; `row` is what the user sees."""

    variable: Any
    view: Any
    promise: Any
    measurement: Any
    verdict: str
    row: dict[str, Any]

    @property
    def path(self):
        return self.row["path"]

    @property
    def l2(self):
        """The strength of the L2 term that the loss has of this variable."""
        acts = self.variable.trainable and self.variable.regularizer is not None
        return l2_within(self.variable.regularizer) if acts else 0.0

    @property
    def is_decayed(self):
        """Whether its optimizer decays the variable, by promise or by measurement."""
        if self.promise is None:
            return self.verdict == "decays unasked"
        return self.verdict != "off" and self.row["shrink_per_step"] != 0


def empty_row(path, shape, dtype):
    """A row of which nothing is known yet."""
    row = dict.fromkeys(COLUMNS)
    row.update(path=path, shape=tuple(shape), dtype=dtype, role=role_of(path))
    return row


def subject_of(variable, view, promise, measurement, plan, step, total, trainable):
    """The `Subject` of a variable.

    Args:
        variable: A variable of the model.
        view: The view of the optimizer that updates it, or None.
        promise: Its `Promise`, or None.
        measurement: Its `Measurement`, or None if it was not probed.
        plan: The `Plan` of the run.
        step: The step that the audit looks at.
        total: What the promise adds up to over the plan, or None.
        trainable: Whether the model trains the variable.
    """
    row = empty_row(variable.path, variable.shape, str(variable.dtype))
    verdict = verdict_on(variable, view, promise, measurement)
    if view is not None and not plan.probe:
        verdict = NOT_MEASURED
    share = effective_share(promise, measurement, verdict, step)
    row.update(
        trainable=trainable,
        optimizer=view.name if view else None,
        penalty=described(variable.regularizer) or None
        if trainable and variable.regularizer is not None
        else None,
        decay=promise.text if promise else None,
        strength=promise.strength if promise else None,
        coupling=promise.coupling if promise else None,
        rate_factor=view.rate_factor(variable) if view else None,
        promised_shrink=finite(measurement.promised) if measurement else share,
        measured_shrink=finite(measurement.share) if measurement else None,
        shrink_per_step=share,
        probe=verdict,
    )
    row.update(consequences(share, view, plan))
    if view is not None and promise is not None and verdict not in NOT_AS_PROMISED:
        row["planned_total"] = total
    return Subject(variable, view, promise, measurement, verdict, row)


NOT_MEASURED = "not measured"  # since the user wants no step to be made
NOT_AS_PROMISED = ("no effect", "less than promised", "more than promised")


def verdict_on(variable, view, promise, measurement):
    """How the measurement compares with the promise, in a few words."""
    if measurement is None:
        return "not probed"
    share, promised = measurement.share, measurement.promised
    if not math.isfinite(share) or not math.isfinite(promised or 0.0):
        return "not measurable"
    if promised is None:
        return "measured"
    if promise is None:
        if not measurement.unchanged and abs(share) > 2 * measurement.resolution:
            return "decays unasked"
        return "spared" if view.decays() else "no decay"
    if promised == 0:
        return "off" if measurement.unchanged else "decays unasked"
    if measurement.unchanged:
        return "too small to see" if view.carries_rounding else "no effect"
    if variable.constraint is not None and abs(share) <= 0.01 * promised:
        return "no effect"  # but for the rounding of the constraint
    if view.cautious:
        return "cautious"
    if abs(share - promised) <= 0.1 * abs(promised) + measurement.resolution:
        return "as promised"
    return "less than promised" if share < promised else "more than promised"


def effective_share(promise, measurement, verdict, step):
    """The fraction of the weight that a step takes away, as well as it is known."""
    if verdict in (*NOT_AS_PROMISED, "decays unasked", "measured"):
        return measurement.share
    if promise is None:
        return None
    if promise.share is not None:
        return promise.share(step)
    return measurement.promised if measurement else None


def finite(value):
    """The value, or None for NaN and infinity, which are no results."""
    return value if value is not None and math.isfinite(value) else None


def consequences(share, view, plan):
    """What follows of the share per step, if it stays: per epoch, half-lives."""
    names = ("shrink_per_epoch", "half_life_steps", "half_life_epochs")
    found = dict.fromkeys(names)
    if share is None or not 0 < share < 1:
        return found
    log = -math.log1p(-share)
    found["half_life_steps"] = math.log(2) / log
    if plan.steps_per_epoch is not None:
        steps = steps_per_epoch_of(plan, view.micro_steps)
        found["shrink_per_epoch"] = -math.expm1(-log * steps)
        found["half_life_epochs"] = found["half_life_steps"] / steps
    return found
