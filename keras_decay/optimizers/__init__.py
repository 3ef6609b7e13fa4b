"""Decoupled weight decay around any Keras optimizer."""

from keras_decay.optimizers._aliases import SGDW, AdamW
from keras_decay.optimizers._decoupled import DecoupledWeightDecay
from keras_decay.optimizers._layerwise_rules import layerwise_rules
from keras_decay.optimizers._preset_rules import preset_rules
from keras_decay.optimizers.forms import (
    ConstrainedDecay,
    DecayToward,
    StableDecay,
    TargetNormDecay,
    TouchedRowsDecay,
)

__all__ = [
    "SGDW",
    "AdamW",
    "ConstrainedDecay",
    "DecayToward",
    "DecoupledWeightDecay",
    "StableDecay",
    "TargetNormDecay",
    "TouchedRowsDecay",
    "layerwise_rules",
    "preset_rules",
]
