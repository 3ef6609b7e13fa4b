"""λ of the diabetes experiment's L2, chosen by cross-validation on training rows."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_decay.experiments._arms import ARMS

STRENGTHS = tuple(float(f"{v:.3g}") for v in np.logspace(-4.5, 0, 10))
FOLDS = 5
FILES = ("diabetes-tuning.png", "diabetes-tuning.svg")


@dataclass(frozen=True)
class Tuning:
    """What a `DecaySearchCV` over λ of L2 has found.

    Attributes:
        seed: Of the split, whose training rows alone were searched, and of the folds.
        search: The fitted `DecaySearchCV`.
    """

    seed: int
    search: Any

    @property
    def strength(self):
        """λ by the one-standard-error rule, in Keras' convention (loss + λ Σw²)."""
        return self.search.lambda_1se_

    @property
    def seconds(self):
        """How long the search took."""
        return self.search.search_time_

    def arm(self, name="l2"):
        """The arm of this name, `l2` or `tuned`, with the strength that was found."""
        kind = "tuned L2" if name == "tuned" else "L2"
        title = f"{kind}, λ = {self.strength:g}"
        return dataclasses.replace(ARMS[name], title=title, l2=self.strength)

    def sentence(self):
        """What was chosen, and from what."""
        return (
            f"tuning: λ = {self.strength:g} for L2 by the one-standard-error rule over "
            f"{FOLDS} folds of the training rows of seed {self.seed}; the lowest "
            f"held-out loss is at λ = {self.search.lambda_min_:g}."
        )

    def draw(self):
        """The validation curve as a new `matplotlib.figure.Figure`."""
        return self.search.plot().figure

    def as_json(self):
        """The numbers of the validation curve and the choice."""
        results = self.search.cv_results_
        return {
            "seed": self.seed,
            "folds": FOLDS,
            "strengths": [one["l2"] for one in results["params"]],
            "held_out_loss": (-results["mean_test_score"]).tolist(),
            "standard_error": results["se_test_score"].tolist(),
            "lambda_min": self.search.lambda_min_,
            "lambda_1se": self.search.lambda_1se_,
            "chosen": self.strength,
            "engine": self.search.engine_,
            "seconds": self.seconds,
        }


def tune(split, *, seed, epochs, batch_size, verbose=False):
    """Trains L2 with every strength on every fold of the training rows of `split`."""
    from sklearn.model_selection import KFold

    from keras_decay.search import DecaySearchCV

    inputs = split.train.x.shape[1]

    def build(l2):
        return dataclasses.replace(ARMS["l2"], l2=l2).build(inputs)

    search = DecaySearchCV(
        build,
        {"l2": list(STRENGTHS)},
        cv=KFold(FOLDS, shuffle=True, random_state=seed),
        seeds=[seed],
        epochs=epochs,
        batch_size=batch_size,
        refit=False,
        verbose=verbose,
    )
    search.fit(split.train.x, split.train.y)
    if search.report_.interrupted:
        raise KeyboardInterrupt
    return Tuning(seed, search)
