"""The probability that a curve overfits, from the evidence of its rise."""

import math
from dataclasses import replace

# Of a logistic regression on recorded trainings whose test rows tell whether they
# overfit: `tests/curves/fit_probability.py` prints these numbers.
INTERCEPT = 1.916
WEIGHTS = {
    "rise": 1.386,
    "error": 0.259,
    "trend": 0.054,
    "fall": 1.672,
}


# The same of rises in which each evaluation is worse than the last.
STRICT = 0.6


def measures(evidence):
    """What the logistic regression weighs: by name, each a number."""
    rise = max(evidence.rise, 0.0) + 0.01
    return {
        "rise": math.log(rise),
        "error": math.log(rise / (evidence.error + 0.01)),
        "trend": min(max(evidence.trend, -2.0), 5.0),
        "fall": min(max(evidence.fall, -0.2), 1.0),
    }


def probability(evidence):
    """The share of curves like this one that overfit, from 0 to 1."""
    found = measures(evidence)
    score = INTERCEPT + sum(WEIGHTS[name] * found[name] for name in WEIGHTS)
    likely = 1 / (1 + math.exp(-min(max(score, -30.0), 30.0)))
    return max(likely, STRICT) if evidence.is_strict else likely


# A fall of the training loss as most trainings have it.
USUAL_FALL = 0.3


def whatever_training(evidence):
    """The same, had the training loss fallen since the best."""
    return probability(replace(evidence, fall=max(evidence.fall, USUAL_FALL)))
