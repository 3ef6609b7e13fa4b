"""Forms of decay other than c λ w. Each goes where a strength goes."""

from keras_decay.optimizers.forms.base import PLAIN, Circumstances, DecayForm, Pull
from keras_decay.optimizers.forms.constrained import ConstrainedDecay
from keras_decay.optimizers.forms.stable import StableDecay
from keras_decay.optimizers.forms.target_norm import TargetNormDecay
from keras_decay.optimizers.forms.touched_rows import TouchedRowsDecay
from keras_decay.optimizers.forms.toward import DecayToward

__all__ = [
    "PLAIN",
    "Circumstances",
    "ConstrainedDecay",
    "DecayForm",
    "DecayToward",
    "Pull",
    "StableDecay",
    "TargetNormDecay",
    "TouchedRowsDecay",
]
