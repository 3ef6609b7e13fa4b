"""Decoupled weight decay around any Keras optimizer."""

from keras_decay.optimizers.aliases import SGDW, AdamW
from keras_decay.optimizers.decoupled import DecoupledWeightDecay
from keras_decay.optimizers.forms import (
    ConstrainedDecay,
    DecayToward,
    StableDecay,
    TargetNormDecay,
    TouchedRowsDecay,
)
from keras_decay.optimizers.rules import layerwise_rules, preset_rules

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
