"""What a regularizer is called, and how strong its L1 and L2 parts are."""

import keras

from keras_decay.regularizers import Penalty
from keras_decay.regularizers._base import plain

CONVENTIONS = {"L1": "λ Σ|w|", "L2": "λ Σw²"}


def elastic_net(regularizer):
    """`(l1, l2)` of λ₁ Σ|w| + λ₂ Σw²; `(None, None)` if it is not of this form."""
    keras_kinds = keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2
    if isinstance(regularizer, keras_kinds):
        strengths = [getattr(regularizer, name, 0.0) for name in ("l1", "l2")]
    elif isinstance(regularizer, Penalty):
        parts = regularizer.parts()
        is_net = parts is not None and not parts.groups
        strengths = [parts.l1, parts.l2] if is_net else [None, None]
    else:
        strengths = [None, None]
    l1, l2 = (None if s is None else plain(s) for s in strengths)
    return l1, l2


def l2_within(regularizer):
    """The strength of the L2 term in a regularizer, also within a sum; 0 for none."""
    if not isinstance(regularizer, Penalty):
        return elastic_net(regularizer)[1] or 0.0
    total = 0.0
    for factors, term in regularizer.flatten():
        l2 = elastic_net(term)[1] or 0.0
        for factor in factors:
            l2 *= plain(factor)
        total += l2
    return total


def short(regularizer):
    """The regularizer in a few characters: "L2 0.01"."""
    l1, l2 = elastic_net(regularizer)
    if l1 is None:
        return type(regularizer).__name__
    named = [f"{name} {s:.4g}" for name, s in (("L1", l1), ("L2", l2)) if s]
    return " + ".join(named) or "zero"


def described(regularizer):
    """The regularizer with its convention: "L2 0.01 (keras l2: λ Σw²)"."""
    l1, l2 = elastic_net(regularizer)
    if l1 is None:
        try:
            settings = regularizer.get_config()
        except NotImplementedError:
            settings = {}
        inside = ", ".join(f"{k}={v!r}" for k, v in settings.items())
        return f"{type(regularizer).__name__}({inside})"[:120]
    return " + ".join(
        f"{name} {s:.6g} (keras {name.lower()}: {CONVENTIONS[name]})"
        for name, s in (("L1", l1), ("L2", l2))
        if s
    )
