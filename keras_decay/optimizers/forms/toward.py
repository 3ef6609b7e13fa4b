"""Decay toward given weights instead of toward zero."""

import keras
from keras import ops

from keras_decay.ground import validation
from keras_decay.optimizers.forms.base import DecayForm, Origin, Pull
from keras_decay.optimizers.strength import check_strength

INITIAL = "initial"
SAVED = "saved"


@keras.saving.register_keras_serializable(package="keras_decay")
class DecayToward(DecayForm):
    """Decay toward reference weights w₀, for fine-tuning: w ← w − u − c_t λ (w − w₀).

    Goes where a strength goes: `weight_decay=DecayToward(0.1)`, or into a rule. The
    reference is kept in the optimizer's variables, at the size of the weights, and
    saved with them.

    Args:
        weight_decay: λ, as in `DecoupledWeightDecay` (convention "decoupled").
        reference: w₀. `"initial"` stands for the weights that the optimizer finds when
            it is first built, by `fit` or `optimizer.build`: load the pretrained ones
            before. Else an array of the weight's shape,
            for a rule that matches one variable, or a dict of such arrays by the
            variables' paths.

    Raises:
        TypeError, ValueError: If an argument is not as described, or, when the
            optimizer is built, the reference lacks a variable or has another shape.

    Example:

    ```python
    model.load_weights("pretrained.weights.h5")
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.Adam(1e-4), kd.DecayToward(0.1), rules=[("head", 0.01)]
    )
    ```

    Reference: Li, Grandvalet and Davoine, Explicit Inductive Bias for Transfer Learning
    with Convolutional Networks, arXiv 1802.01483 (there as a penalty in the loss).
    """

    def __init__(self, weight_decay, reference=INITIAL):
        self.weight_decay = check_strength("weight_decay", weight_decay)
        self.reference = _checked_reference(reference)

    def remembers(self, variable, path):
        value = self.reference
        if isinstance(value, str):  # a saved reference is loaded later
            return {"reference": None}
        if isinstance(value, dict):
            if path not in value:
                raise ValueError(
                    f"`reference` must hold every variable that is decayed toward it, "
                    f"but lacks {path!r}. It has: {', '.join(sorted(value))}"
                )
            value = value[path]
        if value.shape != tuple(variable.shape):
            raise ValueError(
                f"`reference` must have the shape of the weight {path!r}, "
                f"{tuple(variable.shape)}. Received: an array of shape {value.shape}"
            )
        return {"reference": value}

    @property
    def origin(self):
        if not isinstance(self.reference, str):
            return Origin.ARRAYS
        return Origin.WEIGHTS if self.reference == INITIAL else Origin.FILE

    def pull(self, w, fraction, memory, circumstances):
        return Pull(fraction, w - ops.cast(memory["reference"], w.dtype), {})

    def get_config(self):
        # Arrays are no part of a config; they are saved with the optimizer's variables.
        given = self.reference if isinstance(self.reference, str) else SAVED
        return {**super().get_config(), "reference": given}


def _checked_reference(reference):
    must = "'initial', an array, or a dict of arrays by variable path"
    if isinstance(reference, str):
        if reference not in (INITIAL, SAVED):
            raise ValueError(validation.received("reference", reference, must))
        return reference
    if isinstance(reference, dict):
        return {path: _array(path, value) for path, value in reference.items()}
    return _array(None, reference)


def _array(path, value):
    name = "reference" if path is None else f"reference[{path!r}]"
    return validation.array(name, value)
