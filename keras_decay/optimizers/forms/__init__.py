"""Forms of decay. Each goes where a strength goes.

- `DecayForm`: the interface; a form says what the `Origin` of its values is.
- `PLAIN`: c λ w, what a plain number stands for.
- `Pull`: what a form takes away from a weight.
- `Circumstances`, `InnerStep`: what a form may look at besides the weight.
- `AFTER_STEP`, `TOUCHED_ROWS`: what a form may need of the step.
"""

from keras_decay.optimizers.forms.base import (
    AFTER_STEP,
    PLAIN,
    TOUCHED_ROWS,
    Circumstances,
    DecayForm,
    InnerStep,
    Origin,
    Pull,
)
from keras_decay.optimizers.forms.constrained import ConstrainedDecay
from keras_decay.optimizers.forms.stable import StableDecay
from keras_decay.optimizers.forms.target_norm import TargetNormDecay
from keras_decay.optimizers.forms.touched_rows import TouchedRowsDecay
from keras_decay.optimizers.forms.toward import DecayToward

__all__ = [
    "AFTER_STEP",
    "PLAIN",
    "TOUCHED_ROWS",
    "Circumstances",
    "ConstrainedDecay",
    "DecayForm",
    "DecayToward",
    "InnerStep",
    "Origin",
    "Pull",
    "StableDecay",
    "TargetNormDecay",
    "TouchedRowsDecay",
]
