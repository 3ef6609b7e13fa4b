"""The parts of a logged loss: measured, and checked against what Keras has logged."""

import math
from typing import NamedTuple

import keras
import numpy as np

from keras_decay.ground import schema

NOT_CALLED = "the model's own train_step or test_step does not call compute_loss"
HIDDEN = (
    "on JAX nothing of the callback's is part of the training state: the model "
    "overrides `metrics` so that there is no metric to carry it, or its own train_step "
    "or test_step calls compute_loss where no metric can be updated"
)
REPEATED = (
    "the model's own train_step or test_step calls compute_loss more than once in a "
    "step, and logs no loss to check the sum by"
)
# Sums of float32 numbers are compared, whose rounding stays far below this.
TOLERANCE = 1e-4
# Half of the distance from 1 to the next number.
_ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24}


class Parts(NamedTuple):
    """What is known of one logged loss.

    Attributes:
        values: Dict from `schema.PARTS` to floats, or to None where they are not known.
        why_not: The reason why they are not known, or None.
    """

    values: dict
    why_not: str | None = None


def unknown(why_not):
    """Parts that are not known, for this reason."""
    return Parts(dict.fromkeys(schema.PARTS), why_not)


def explaining(candidates, logs, tolerance):
    """The first of `candidates` that adds up to the logged loss.

    Args:
        candidates: Lists of the data loss and the penalty, the more usual one first.
        logs: Keras' logs. Without a `loss` there is nothing to check.
        tolerance: See `tolerance`.

    Returns:
        `Parts`.
    """
    logged = logs.get("loss")
    if logged is None:
        return Parts(dict(zip(schema.PARTS, candidates[0], strict=True)))
    logged = np.asarray(keras.ops.convert_to_numpy(logged), dtype=float)
    if logged.size != 1:
        return unknown("the logged loss is not a single number")
    logged = float(logged.reshape(()))
    for parts in candidates:
        if _adds_up(parts, logged, tolerance):
            return Parts(dict(zip(schema.PARTS, parts, strict=True)))
    return unknown(
        f"the logged loss is {logged:.6g}, and what compute_loss returned has the mean "
        f"{sum(candidates[0]):.6g}: the model's own train_step or test_step changes "
        "the loss or averages it otherwise than Keras does, or a callback evaluates "
        "the model before the epoch's end"
    )


def tolerance(batches, terms, dtype):
    """How far a sum of parts may be from the logged loss, relative to the larger.

    At most n u for n numbers added one after the other, u being the unit roundoff
    (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 4.2).

    Args:
        batches: Number of batches that Keras has averaged.
        terms: Number of terms in the loss of one batch.
        dtype: Name of the data type in which these were added.
    """
    mean, batch = (_ROUNDING.get(one, 0.0) for one in (keras.config.floatx(), dtype))
    return max(TOLERANCE, batches * mean + terms * batch)


def _adds_up(parts, logged, tolerance):
    total = sum(parts)
    if not math.isfinite(total) or not math.isfinite(logged):
        return not math.isfinite(total) and not math.isfinite(logged)
    larger = max(abs(logged), *map(abs, parts))
    return abs(total - logged) <= tolerance * larger
