"""The faults of decay that show in the rows: each a function of all subjects.

Thresholds, chosen so that settings in the literature pass:

- `WEAK`: over the whole run a weight would lose less than 1 %.
- `STRONG`: the decay over the run adds up to more than 100, so that weights remember
  less than a hundredth of it. Vision transformers and language models are trained with
  totals of 1 to 50.
"""

import math

from keras_decay.models import SPARED_ROLES
from keras_decay.tools._finding import about
from keras_decay.tools._findings_on_measurements import (
    less_or_more,
    no_effect,
    rebuilding_at_late_steps,
)
from keras_decay.tools._findings_on_settings import ON_SETTINGS
from keras_decay.tools._remedies import KEEP_ONE, MOVE

WEAK, STRONG = 0.01, 100.0


def findings_on(model, subjects, views, plan, problem):
    """Every `Finding` on the model, the gravest kinds first.

    Args:
        model: The model.
        subjects: The `Subject` of each variable.
        views: The views of the optimizers.
        plan: The `Plan` of the run.
        problem: (code, sentence, remedy) of a fault for which the model could not be
            probed, or None.
    """
    found = []
    if problem is not None:
        code, sentence, remedy = problem
        paths = [v.path for v in model.trainable_variables]
        found += about(code, paths, sentence, remedy)
    for judge_rows in ON_ROWS:
        found += judge_rows(subjects, plan)
    for judge_settings in ON_SETTINGS:
        found += judge_settings(model, subjects, views)
    return found


def l2_under_adaptive(subjects, plan):
    hit = [s for s in subjects if s.l2 and s.view is not None and s.view.adaptive]
    names = ", ".join(sorted({s.view.name for s in hit}))
    return about(
        "l2-under-adaptive",
        hit,
        f"An L2 penalty is in the loss, under {names}, which divides its gradient by "
        "the history of gradients: weights with large gradients are hardly decayed.",
        MOVE,
    )


def l2_and_decay(subjects, plan):
    return about(
        "l2-and-decay",
        [s for s in subjects if s.l2 and s.is_decayed],
        "These variables have an L2 penalty in the loss and are decayed by the "
        "optimizer: both act.",
        KEEP_ONE,
    )


def spared_roles_decayed(subjects, plan):
    hit = [s for s in subjects if s.row["role"] in SPARED_ROLES and s.is_decayed]
    ours = any(s.view.carries_rounding for s in hit)
    remedy = (
        "Give them a rule: rules=[('bias|gamma|beta', None), …]."
        if ours
        else "Wrap the optimizer without its decay in kd.DecoupledWeightDecay, which "
        "spares them, or use exclude_from_weight_decay(var_list=[…]) anew after "
        "every load."
    )
    return about(
        "bias-or-norm-decayed",
        hit,
        "Biases or the scales and shifts of normalisation are decayed, which costs "
        "fit and does not regularise.",
        remedy,
    )


def too_weak_or_strong(subjects, plan):
    def total(subject):
        value = subject.row["planned_total"]
        return math.nan if value is None else value

    # A λ of exactly zero is meant, and may be raised while training.
    weak = [s for s in subjects if s.is_decayed and total(s) < WEAK]
    strong = [s for s in subjects if total(s) > STRONG]
    flips = [s for s in subjects if (s.row["shrink_per_step"] or 0) >= 1]
    least = min(map(total, weak), default=0.0)
    most = max(map(total, strong), default=0.0)
    return [
        *about(
            "decay-too-weak",
            weak,
            f"Over the planned run the decay adds up to {least:.2g} only: a weight "
            f"would lose {-math.expm1(-least):.1%} of itself.",
            "Make it stronger, or leave it out.",
        ),
        *about(
            "decay-too-strong",
            [s for s in strong if s not in flips],
            f"Over the planned run the decay adds up to {most:.3g}: weights remember "
            "less than a hundredth of it.",
            "Make it weaker.",
        ),
        *about(
            "decay-flips-weights",
            flips,
            "One step takes away the whole weight or more.",
            "Make λ much smaller: coupling × λ must be far below 1.",
        ),
    ]


def embedding_rows(subjects, plan):
    return about(
        "embedding-rows-decay",
        [s for s in subjects if s.row["role"] == "embedding" and s.is_decayed],
        "At each step every row of the embedding is decayed, also the rows that the "
        "batch did not touch: rare tokens shrink towards zero.",
        "Decay the rows of the batch, or none: rules=[('embeddings', "
        "kd.TouchedRowsDecay(λ))] or [('embeddings', None)] in "
        "kd.DecoupledWeightDecay.",
    )


def unknown_to_the_optimizer(subjects, plan):
    known = any(s.view is not None for s in subjects)
    return about(
        "unknown-to-the-optimizer",
        [s for s in subjects if known and s.row["trainable"] and s.view is None],
        "The model trains these variables, but the optimizer was built without them.",
        "Call kd.rebuild(model), which goes on with a DecoupledWeightDecay, or compile "
        "the model anew, with a new optimizer.",
    )


ON_ROWS = (
    unknown_to_the_optimizer,
    no_effect,
    less_or_more,
    rebuilding_at_late_steps,
    l2_and_decay,
    l2_under_adaptive,
    spared_roles_decayed,
    embedding_rows,
    too_weak_or_strong,
)
