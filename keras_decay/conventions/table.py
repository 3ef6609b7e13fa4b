"""The conventions of λ, each defined by how it leads to its parent.

The conventions form three trees. The root of those that multiply Σw² in the loss is
`l2`; of those that shrink the weight in the step, `decoupled`; of those that multiply
Σ|w|, `l1`. A conversion climbs from one name to the common ancestor and descends to the
other. It needs the arguments of the branches on its way and no others.
"""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

from keras_decay.ground import validation

L1, LOSS, STEP = "l1", "l2", "decoupled"


@dataclass(frozen=True)
class Convention:
    """One meaning of λ.

    A strength v in this convention is N/D · v**power in the parent's, where `ratio`
    gives (N, D). They are kept apart so that only one division rounds.

    Args:
        definition: What is minimised, or what a step does.
        used_by: Who uses the convention.
        aliases: Its further names.
        parent: The name of the convention that defines it; None at a root.
        ratio: (N, D) as a function of the settings.
        power: 1, −1 or −2; if it is negative, stronger means smaller.
        needs: The settings that `ratio` reads and that have no default.
        squared_error: Whether it is a convention for squared errors alone.
        constant_rate: Whether it equals its parent only while η does not change.
        prior: Whether it is a convention for losses that are a −log p.
    """

    definition: str
    used_by: str
    aliases: tuple = ()
    parent: str | None = None
    ratio: Callable = lambda s: (1.0, 1.0)
    power: int = 1
    needs: tuple = ()
    squared_error: bool = False
    constant_rate: bool = False
    prior: bool = False

    def ascend(self, value, settings):
        """The strength in the parent's convention."""
        above, below = self.ratio(settings)
        if self.power == 1:
            return value * above / below
        return above / below / value if self.power == -1 else above / below / value**2

    def descend(self, value, settings):
        """The strength in this convention, given the parent's."""
        above, below = self.ratio(settings)
        if self.power == 1:
            return value * below / above
        quotient = above / below / value
        return quotient if self.power == -1 else math.sqrt(quotient)


def prior_ratio(settings):
    """N/D · 1/σ² is 1/σ² under the mean −log p, and 2s²/(kσ²) under MSE."""
    if settings.noise_variance is None:
        return 1.0, 1.0
    return 2.0 * settings.noise_variance, settings.n_outputs


# B is `n_samples`, b `batch_size`, T `epochs`, k `n_outputs`.
CONVENTIONS = {
    "l2": Convention("loss + λ Σw²", "Keras and keras_decay L2", aliases=("keras_l2",)),
    "half_l2": Convention(
        "loss + λ/2 Σw²",
        "textbooks, torch.optim.SGD",
        aliases=("torch_sgd",),
        parent="l2",
        ratio=lambda s: (1, 2),
    ),
    "half_l2_per_sample": Convention(
        "loss + λ/(2n) Σw²",
        "many tutorials",
        parent="half_l2",
        ratio=lambda s: (1, s.n_samples),
        needs=("n_samples",),
    ),
    "ridge_alpha": Convention(
        "Σ residual² + α Σw²",
        "sklearn Ridge",
        aliases=("sklearn_ridge",),
        parent="half_l2_per_sample",
        ratio=lambda s: (2, s.n_outputs),
        squared_error=True,
    ),
    "mlp_alpha": Convention(
        "½ MSE + α/(2b) Σw²",
        "sklearn MLPRegressor",
        aliases=("sklearn_mlp",),
        parent="l2",
        ratio=lambda s: (1, s.batch_size * s.n_outputs),
        needs=("batch_size",),
        squared_error=True,
    ),
    "gaussian_prior_scale": Convention(
        "w ~ N(0, σ²), a mean −log p as the loss",
        "maximum a posteriori",
        parent="half_l2_per_sample",
        ratio=prior_ratio,
        power=-2,
        prior=True,
    ),
    "decoupled": Convention(
        "w ← w − η λ w",
        "Keras and PyTorch AdamW",
        aliases=("adamw", "torch_adamw", "keras_weight_decay"),
    ),
    "decoupled_paper": Convention(
        "w ← w − (η_t/η_0) λ w",
        "Loshchilov and Hutter",
        parent="decoupled",
        ratio=lambda s: (1, s.learning_rate),
        needs=("learning_rate",),
    ),
    "independent": Convention(
        "w ← w − λ w",
        "TensorFlow Addons",
        aliases=("tfa_weight_decay",),
        parent="decoupled_paper",
        constant_rate=True,
    ),
    "normalized": Convention(
        "decoupled_paper is λ √(b / (B T))",
        "Loshchilov and Hutter, B.1",
        parent="decoupled_paper",
        ratio=lambda s: (
            math.sqrt(s.batch_size),
            math.sqrt(s.n_samples) * math.sqrt(s.epochs),
        ),
        needs=("n_samples", "batch_size", "epochs"),
    ),
    "timescale_epochs": Convention(
        "τ = (b/B) / (η λ), λ decoupled",
        "arXiv 2405.13698",
        parent="independent",
        ratio=lambda s: (s.batch_size, s.n_samples),
        power=-1,
        needs=("n_samples", "batch_size"),
    ),
    "l1": Convention("loss + λ Σ|w|", "Keras and keras_decay L1", ("keras_l1",)),
    "lasso_alpha": Convention(
        "Σ residual²/(2n) + α Σ|w|",
        "sklearn Lasso",
        aliases=("sklearn_lasso",),
        parent="l1",
        ratio=lambda s: (2, s.n_outputs),
        squared_error=True,
    ),
}

NAMES = {
    alias: name
    for name, convention in CONVENTIONS.items()
    for alias in (name, *convention.aliases)
}
AMBIGUOUS = {
    "torch_weight_decay": "It means two things: torch.optim.SGD (and Adam) add "
    "λ/2 Σw² to the loss, which is 'half_l2' or 'torch_sgd'; torch.optim.AdamW shrinks "
    "the weight in the step, which is 'decoupled' or 'torch_adamw'."
}
# The likeness, from 0 to 1, from which on a name is suggested for a misspelt one.
# "torch" and "torch_sgd", or "alpha" and "mlp_alpha", are less alike: mere guesses.
ALIKE = 0.8


def find_convention(argument, value):
    """The name of a convention, given that name or an alias of it."""
    must = "the name of a convention of λ"
    if not isinstance(value, str):
        raise TypeError(validation.received(argument, value, must))
    if value in AMBIGUOUS:
        must = "an unambiguous name of a convention"
        raise ValueError(validation.received(argument, value, must, AMBIGUOUS[value]))
    if value not in NAMES:
        close = difflib.get_close_matches(value.lower(), NAMES, n=1, cutoff=ALIKE)
        closest = f"The closest is {close[0]!r}; there" if close else "There"
        remedy = f"{closest} are {', '.join(CONVENTIONS)}."
        raise ValueError(validation.received(argument, value, must, remedy))
    return NAMES[value]


def ancestors(name):
    """The conventions from `name` up to its root, both included."""
    line = []
    parent: str | None = name
    while parent is not None:
        line.append(parent)
        parent = CONVENTIONS[parent].parent
    return line


def root(name):
    """The root of the convention's tree."""
    return ancestors(name)[-1]


def branches(source, target):
    """The conventions to ascend from, and the conventions to descend to, in order.

    A root has no branch. Between two trees the way leads up to the one root and down
    from the other.
    """
    up, down = ancestors(source), ancestors(target)
    shared = {*up} & {*down} or {up[-1], down[-1]}
    ascending = [name for name in up if name not in shared]
    descending = [name for name in down if name not in shared]
    return ascending, descending[::-1]
