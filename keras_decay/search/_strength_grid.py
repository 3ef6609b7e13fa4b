"""`strength_grid`: the strengths that are worth trying."""

import math

import numpy as np

from keras_decay.ground import validation
from keras_decay.search import _data
from keras_decay.search._building import first_rows, length
from keras_decay.search._candidates import check_names
from keras_decay.search._driven import driven_settings
from keras_decay.search._null_model import Slope
from keras_decay.search._strongest import strongest_decay, strongest_penalty
from keras_decay.search._work import Data

BATCH = 4096


def strength_grid(
    build,
    x,
    y,
    *,
    n=25,
    name="strength",
    ratio=1e-4,
    params=None,
    sample_weight=None,
):
    """A grid of strengths, from where nothing is left to learn to where it is all free.

    Evenly spaced on a logarithmic axis, the strongest first:

        λ_max, …, ratio · λ_max

    L1 and group penalties, and any whose proximal step gives exact zeros. λ_max is the
    smallest strength at which zero weights are optimal to first order: with g the
    gradient of the data loss in the null model (the penalised weights zero, the others,
    such as the bias, fitted), it is the smallest λ with

        prox_{sλΩ}(s g) = 0,   s small

    which is max|g| for L1 and max ‖g_g‖/√|g| for the group lasso. For a model that is
    linear in its weights, under a convex loss, it is exact: all weights are zero from
    λ_max on and not below.

    A deep network is stationary at zero whatever the strength, as is one whose other
    kernels are not penalised. There, a heuristic, g is the gradient at the initial
    weights: from λ_max on the penalty outweighs the data for every weight.

    L2 and other smooth penalties give no zeros. λ_max is where the penalty's gradient
    is ten times as large as the data's, both at the initial weights; or, if these are
    all zero, 1000 times what L1 would have, as glmnet takes it for ridge regression. A
    heuristic too.

    Decay in the optimizer (`weight_decay`): λ_max is 1/c, at which a step takes all of
    the weight, with c = c_t of the coupling at the first step, η for AdamW.

    Penalties that act in the optimizer by their proximal step count as in the loss:
    right for plain SGD, and a start for others.

    Args:
        build: Function of the hyperparameters that returns a compiled `keras.Model`.
        x: All inputs, as `fit` takes them.
        y: All targets.
        n: How many strengths, a whole number of at least 2.
        name: The parameter of `build` that is the strength. What it drives is found by
            building the model with three of its values. The penalty may depend on a
            power of it: of a prior's scale, the smallest comes first.
        ratio: The weakest strength as a share of the strongest, between 0 and 1. It is
            the share of the penalty: of a scale s whose penalty goes with 1/s² the grid
            ends at s/√ratio.
        params: Dict of other arguments for `build`, or None.
        sample_weight: One non-negative number for each row, or None.

    Returns:
        An array of n numbers in the order from strong to weak, for `param_grid`.

    Raises:
        TypeError, ValueError: If an argument is not as described; also if `name` drives
            no penalty, or drives it in another way than by a power.

    Example:

    ```python
    grid = kd.strength_grid(build, x, y, name="l1")
    search = kd.DecaySearchCV(build, {"l1": grid}).fit(x, y)
    ```

    Reference: Friedman, Hastie and Tibshirani, Regularization Paths for Generalized
    Linear Models via Coordinate Descent, 2010, section 2.5.
    """
    n = validation.integer("n", n, minimum=2)
    ratio = validation.number("ratio", ratio, above=0)
    if ratio >= 1:
        must = "a number greater than 0 and less than 1"
        raise ValueError(validation.received("ratio", ratio, must))
    if not isinstance(name, str):
        raise TypeError(validation.received("name", name, "a parameter of `build`"))
    params = dict(params or {})
    check_names(build, "name", [name, *params])
    x, y = _data.arrays("x", x), _data.arrays("y", y)
    _data.check_rows("y", y, length(x))
    weight = _data.weights("sample_weight", sample_weight, length(x))
    model, settings = driven_settings(build, params, name, first_rows(x, 1))
    decays = [setting for setting in settings if setting.is_decay]
    penalties = [setting for setting in settings if not setting.is_decay]
    strongest = []
    if decays:
        strongest.append(strongest_decay(model.optimizer, decays[0]))
    if penalties:
        # What the parameter drives is no part of the data loss; other penalties are.
        for setting in penalties:
            model.trainable_variables[setting.variable].regularizer = None
        slope = Slope(model, Data(x, y, weight), BATCH)
        strongest.append(strongest_penalty(name, slope, penalties))
    # Where several act, the strongest of all.
    value, exponent = max(
        strongest, key=lambda pair: math.copysign(1, pair[1]) * pair[0]
    )
    return np.geomspace(value, value * ratio ** (1 / exponent), n)
