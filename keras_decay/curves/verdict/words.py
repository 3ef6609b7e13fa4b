"""How the sentence names what is judged: any metric, in either direction."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Words:
    """Names of a metric, and its values as they were recorded.

    Everything is judged as a loss, which falls where it becomes better: a metric that
    should be high changes its sign.

    Attributes:
        metric: The name of the metric, "loss" for any loss.
        mode: "min" or "max".
        exponent: Values are judged in units of this power of two.
    """

    metric: str = "loss"
    mode: str = "min"
    exponent: int = 0

    @property
    def sign(self):
        """−1 where the values were negated."""
        return -1.0 if self.mode == "max" else 1.0

    @property
    def train(self):
        return f"training {self.metric}"

    @property
    def val(self):
        return f"validation {self.metric}"

    @property
    def off(self):
        """Where a worse value lies."""
        return "below" if self.mode == "max" else "above"

    @property
    def worse(self):
        return "fallen" if self.mode == "max" else "risen"

    @property
    def better(self):
        return "risen" if self.mode == "max" else "fallen"

    @property
    def was_better(self):
        return "rose" if self.mode == "max" else "fell"

    def value(self, judged):
        """What was recorded for a value as it is judged."""
        with np.errstate(over="ignore"):
            return self.sign * float(np.ldexp(judged, self.exponent))

    def short(self, judged):
        return f"{self.value(judged):.3g}"


def percent(fraction):
    value = 100 * fraction
    digits = 0 if abs(value) >= 9.95 else 1
    return f"{value:.{digits}f} %"


def multiple(ratio):
    return f"{ratio:.1f}" if ratio < 9.95 else f"{min(ratio, 1e9):.0f}"


def chance(probability):
    """A probability as a percentage that is never 0 or 100."""
    return min(max(math.floor(100 * probability + 0.5), 1), 99)
