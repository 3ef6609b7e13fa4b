"""The run that is planned, and the decay that adds up over it."""

from typing import NamedTuple

import numpy as np

EXACT = 512  # steps up to which every one is added; beyond, as many midpoints stand in


class Plan(NamedTuple):
    """What is audited.

    Attributes:
        steps_per_epoch: How many batches an epoch has; None if unknown.
        epochs: How many epochs there are; None if unknown.
        probe: Whether steps are made to measure the decay.
    """

    steps_per_epoch: int | None
    epochs: int | None
    probe: bool = True

    def total(self, promise, micro_steps):
        """Σ_t c_t λ_t over the steps of the whole run, from its first; or None.

        The weight would be left with the factor exp(−total) if no gradient came.

        Args:
            promise: The `Promise` of a variable.
            micro_steps: How many batches make one step of the weights.
        """
        points = self.points(micro_steps)
        if not points or promise.share is None:
            return None
        shares = [promise.share(step) for step in points]
        return float(np.mean(shares) * self.steps(micro_steps))

    def steps(self, micro_steps):
        """The steps of the weights in the whole run, or None."""
        if self.steps_per_epoch is None or self.epochs is None:
            return None
        return self.steps_per_epoch * self.epochs // micro_steps

    def points(self, micro_steps):
        """The steps that are looked at for the whole run; none if it is unknown."""
        steps = self.steps(micro_steps) or 0
        if steps <= EXACT:
            return list(range(steps))
        return [int((i + 0.5) * steps / EXACT) for i in range(EXACT)]


def steps_per_epoch_of(plan, micro_steps):
    """The steps of the weights in an epoch."""
    return plan.steps_per_epoch / micro_steps


def step_to_audit(rate, now, last):
    """The present step; where the rate is zero there, one at which it is highest.

    A warm-up begins at a rate of zero and many schedules end at it, and there no decay
    could be seen.
    """
    if rate(now) > 0:
        return now
    candidates = [0, *(2**k for k in range(21)), *([last // 2] if last else [])]
    rate.prepare(candidates)
    best = max(candidates, key=rate)
    return best if rate(best) > 0 else now
