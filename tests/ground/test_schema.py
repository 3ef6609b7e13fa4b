"""The schema of a row, held to what `LearningCurve` writes."""

import re

import keras
import numpy as np

import keras_decay as kd
from keras_decay.ground import schema


def test_the_table_names_every_column():
    named = set(re.findall(r"`(\w+)`", schema.__doc__))
    losses = {schema.LOSS, *schema.PARTS, schema.NOTE}
    assert named == {*schema.RESERVED, *losses}


def test_a_row_has_no_other_columns():
    penalty = kd.L2(0.1)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, kernel_regularizer=penalty)]
    )
    model.compile(kd.SGDW(0.1, 0.1), "mse", metrics=["mae"])
    x, y = np.ones((8, 3)), np.ones((8, 1))
    curve = kd.LearningCurve(
        live=False,
        track_penalty="layers",
        track_norms=True,
        track_batches=4,
        reevaluate=(x, y),
    )
    for _ in range(2):
        model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[curve])
    logged = {schema.LOSS, *schema.PARTS, "mae"}
    prefixes = ("", schema.VALIDATION, schema.REEVALUATED)
    known = {*schema.RESERVED, *(p + name for p in prefixes for name in logged)}
    assert set().union(*curve.rows) == known
    for name in schema.NESTED:
        assert name == schema.DECAY or isinstance(curve.rows[0][name], dict)
