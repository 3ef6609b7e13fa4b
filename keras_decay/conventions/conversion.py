"""`convert`: a strength from one convention of λ to another."""

import math

from keras_decay.conventions import refusals, settings, table
from keras_decay.conventions.table import CONVENTIONS, LOSS, root
from keras_decay.ground import validation


def convert(
    value,
    source,
    target,
    *,
    optimizer=None,
    learning_rate=None,
    n_samples=None,
    batch_size=None,
    epochs=None,
    noise_variance=None,
    n_outputs=1,
):
    """The strength that means in one convention what `value` means in another.

    With λ (or α, σ, τ) the strength, η the learning rate `learning_rate` (η_0 the base
    rate), n = B the `n_samples`, b the `batch_size`, T the `epochs`, k the `n_outputs`,
    s² the `noise_variance`, and MSE the mean over samples and outputs:

    | name | definition | aliases |
    |---|---|---|
    | `l2` | loss + λ Σw² | `keras_l2` |
    | `half_l2` | loss + λ/2 Σw² | `torch_sgd` |
    | `half_l2_per_sample` | loss + λ/(2n) Σw² | |
    | `ridge_alpha` | Σ residual² + α Σw²; MSE: l2 = α/(nk) | `sklearn_ridge` |
    | `mlp_alpha` | ½ MSE + α/(2b) Σw²; MSE: l2 = α/(bk) | `sklearn_mlp` |
    | `gaussian_prior_scale` | w ~ N(0, σ²); mean −log p: l2 = 1/(2nσ²) | |
    | | with `noise_variance`, MSE: l2 = s²/(nkσ²) | |
    | `decoupled` | w ← w − η λ w | `adamw`, `torch_adamw`, `keras_weight_decay` |
    | `decoupled_paper` | w ← w − (η_t/η_0) λ w | |
    | `independent` | w ← w − λ w, at a constant η | `tfa_weight_decay` |
    | `normalized` | decoupled_paper = λ √(b/(BT)) | |
    | `timescale_epochs` | τ = (b/B)/(ηλ), λ decoupled, at a constant η | |
    | `l1` | loss + λ Σ abs(w) | `keras_l1` |
    | `lasso_alpha` | Σ residual²/(2n) + α Σ abs(w); MSE: l1 = 2α/k | `sklearn_lasso` |

    The first six are terms of the loss, the next five decay in the step. The two sides
    are equivalent under plain SGD alone, where l2 = λ is decoupled = 2λ, for any
    schedule: elsewhere the optimizer divides or accumulates what a penalty adds to the
    gradient, and no number makes up for it. The last two convert into each other only.

    Args:
        value: The strength in the convention `source`, a finite number of at least 0;
            above 0 where it is a σ or τ.
        source: The name or an alias of a convention.
        target: The same of the convention wanted.
        optimizer: Needed only from the loss to the step or back, and then `"sgd"` (no
            momentum, no clipping) or a Keras SGD of that kind, also inside of
            `DecoupledWeightDecay` or `LossScaleOptimizer`.
        learning_rate: η, or η_0 under a schedule, a positive number. If it is not given
            and `optimizer` is a Keras optimizer at a constant rate, its present one.
        n_samples: n, the number of training samples, at least 1.
        batch_size: b, the samples in a batch, from 1 to n.
        epochs: T, the epochs of the whole training, at least 1.
        noise_variance: s², the variance of the noise in the targets, a positive number
            in the targets' units squared. It says that a prior's scale goes with MSE;
            without it the loss is the mean −log p of the targets.
        n_outputs: k, the outputs over which Keras' MSE averages and the losses of
            scikit-learn sum. scikit-learn's MLPRegressor reports a mean, but follows
            the gradient of the sum, and that counts here.

    Returns:
        The strength in the convention `target`, a float.

    Raises:
        TypeError: If an argument is of the wrong type.
        ValueError: If an argument is out of range or a name unknown; if arguments are
            missing, with all their names; if the two conventions are not equivalent,
            with the reason; if no finite number is the answer (λ = 0 is σ = ∞).

    Example:

    ```python
    kd.convert(0.1, "torch_adamw", "decoupled_paper", learning_rate=1e-3)  # 1e-4
    kd.convert(5e-4, "torch_sgd", "keras_l2")  # 2.5e-4
    kd.convert(2.5e-4, "l2", "decoupled", optimizer="sgd")  # 5e-4
    kd.convert(1.0, "sklearn_ridge", "keras_l2", n_samples=442)
    ```

    References: Loshchilov and Hutter, Decoupled Weight Decay Regularization,
    arXiv 1711.05101 (`decoupled_paper`; `normalized` is its appendix B.1); Wang and
    Aitchison, How to set AdamW's weight decay as you scale model and dataset size,
    arXiv 2405.13698 (`timescale_epochs`).
    """
    given = settings.settings(
        optimizer,
        learning_rate,
        n_samples,
        batch_size,
        epochs,
        noise_variance,
        n_outputs,
    )
    first = table.find_convention("source", source)
    last = table.find_convention("target", target)
    if CONVENTIONS[first].power < 0:
        strength = validation.number("value", value, above=0)
    else:
        strength = validation.number("value", value, minimum=0)
    refusals.check(first, last, given)
    up, down = table.branches(first, last)
    try:
        result = strength
        for name in up:
            result = CONVENTIONS[name].ascend(result, given)
        if root(first) != root(last):
            # Plain SGD takes η · 2λw of λ Σw² off the weight, and decay η λ w.
            result = result * 2 if root(first) == LOSS else result / 2
        for name in down:
            result = CONVENTIONS[name].descend(result, given)
    except (ZeroDivisionError, OverflowError):
        result = math.inf
    if not math.isfinite(result) or (result == 0) != (strength == 0):
        must = f"a strength that is a finite number as {last!r} too"
        remedy = "No decay is an infinite σ or τ." if strength == 0 else ""
        raise ValueError(validation.received("value", value, must, remedy))
    return result
