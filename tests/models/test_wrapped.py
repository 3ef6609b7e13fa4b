"""Optimizers within optimizers."""

import keras
from support import recent_keras

import keras_decay as kd
from keras_decay.models import innermost, optimizers_within, parts_of


@recent_keras
def test_what_is_inside_what():
    adam, sgd = keras.optimizers.Adam(), keras.optimizers.SGD()
    wrapped = kd.DecoupledWeightDecay(adam, 0.1)
    several = keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(sgd, {"a/.*": wrapped})
    )
    scaled = keras.optimizers.LossScaleOptimizer(several)
    assert optimizers_within(scaled) == [scaled, several, wrapped, adam, sgd]
    assert parts_of(scaled) == [wrapped, sgd]
    assert innermost(scaled) is several
    assert innermost(keras.optimizers.LossScaleOptimizer(wrapped)) is adam
    for bare in (adam, several.optimizers[0].optimizer):
        assert optimizers_within(bare) == parts_of(bare) == [bare]
        assert innermost(bare) is bare
