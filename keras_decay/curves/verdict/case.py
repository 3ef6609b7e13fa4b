"""What the rules look at: the part of the curve that is judged, and its evidence."""

from dataclasses import dataclass

import numpy as np

from keras_decay.curves.verdict.evidence import Evidence
from keras_decay.curves.verdict.phases import Phase
from keras_decay.curves.verdict.probability import probability
from keras_decay.curves.verdict.smoothed import Curves
from keras_decay.curves.verdict.words import Words

# Below this, three smoothed values hardly differ from one another.
MIN_EPOCHS = 5


@dataclass(frozen=True)
class Case:
    """A curve to be judged.

    Attributes:
        whole: Both losses of the whole training.
        curves: Both since the last restart.
        last: Both since the last change of any kind; `curves` where that was
            fewer than 5 evaluations ago.
        phase: The change that `last` begins with, or None.
        evidence: What the validation loss tells of a rise, or None for too few values.
        probability: The probability that the model overfits, or None.
        words: How the metric is called.
        n_validation: The number of validation rows, or None.
    """

    whole: Curves
    curves: Curves
    last: Curves
    phase: Phase | None
    evidence: Evidence | None
    probability: float | None
    words: Words
    n_validation: int | None

    @classmethod
    def of(cls, curves, phases, words, n_validation):
        """From both losses of the whole training, and the phases found in its rows."""
        judged, phase = curves, None
        for one in phases:
            part = curves.since(one.epoch)
            if one.is_fresh and len(part.val) >= MIN_EPOCHS and len(part.train):
                judged, phase = part, one
        last = judged
        for one in phases:
            part = curves.since(one.epoch)
            if len(part.val) >= MIN_EPOCHS and len(part.train):
                last, phase = part, one
        evidence = chance = None
        if len(judged.val) >= MIN_EPOCHS and len(judged.train):
            # A loss next to nothing makes ratios infinite.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                evidence = Evidence.of(judged.train, judged.val)
                chance = probability(evidence)
        return cls(curves, judged, last, phase, evidence, chance, words, n_validation)
