"""What a regularizer is called, and how strong its L1 and L2 parts are."""

import keras
import numpy as np

from keras_decay.regularizers import Penalty, plain

CONVENTIONS = {"L1": "λ Σ|w|", "L2": "λ Σw²"}


def elastic_net(regularizer):
    """`(l1, l2)` of λ₁ Σ|w| + λ₂ Σw²; `(None, None)` if it is not of this form."""
    penalty = Penalty.of(regularizer)
    parts = None if penalty is None else penalty.parts()
    if parts is None or parts.groups:
        return None, None
    return plain(parts.l1), plain(parts.l2)


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
        settings = config_of(regularizer) or {}
        inside = ", ".join(f"{k}={v!r}" for k, v in settings.items())
        return f"{type(regularizer).__name__}({inside})"[:120]
    return " + ".join(
        f"{name} {s:.6g} (keras {name.lower()}: {CONVENTIONS[name]})"
        for name, s in (("L1", l1), ("L2", l2))
        if s
    )


def same(regularizer, other):
    """Whether two regularizers are one, or say the same.

    One without a config says nothing: another object may be another penalty.
    """
    if regularizer is other:
        return True
    if type(regularizer) is not type(other):
        return False
    config = config_of(regularizer)
    return config is not None and equal(config, config_of(other))


def config_of(regularizer):
    """The config of a regularizer; None where it has none.

    Keras asks for one only where a model is saved, and later versions than 3.12 take
    any function for a regularizer.
    """
    if not isinstance(regularizer, keras.regularizers.Regularizer):
        return None
    try:
        return regularizer.get_config()
    except NotImplementedError:
        return None


def equal(setting, other):
    """Whether two settings of a config are equal; they may be or hold arrays."""
    if isinstance(setting, dict) and isinstance(other, dict):
        return setting.keys() == other.keys() and all(
            equal(value, other[name]) for name, value in setting.items()
        )
    return np.array_equal(setting, other)
