"""Decoupled weight decay under tf.distribute: two replicas train as one device does.

    python examples/distribute.py

The two replicas are halves of one CPU here, so that this runs anywhere; on a machine
with several GPUs `tf.distribute.MirroredStrategy()` takes them all. Nothing about the
optimizer changes: it is made within the strategy's scope, as Keras' own are.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import keras_decay as kd

REPLICAS = 2
BATCH = 128
# Before TensorFlow is used for the first time.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * REPLICAS,
)
devices = [f"CPU:{index}" for index in range(REPLICAS)]

x, y = load_digits(return_X_y=True)
# Full batches only: of a smaller last one the replicas get unequal numbers of rows, and
# Keras takes the mean of the replicas' means.
rows = len(x) - len(x) % BATCH
x, y = (x[:rows] / 16).astype("float32"), y[:rows]


def train(weight_decay):
    """A small network on the digits; the replicas share every batch."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(32, "tanh"), keras.layers.Dense(10)]
    )
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1, momentum=0.9), weight_decay=weight_decay
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    model.fit(x, y, batch_size=BATCH, epochs=5, shuffle=False, verbose=0)
    return model


def difference(one, other):
    """The largest difference between the weights of two models."""
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return float(max(np.abs(a - b).max() for a, b in pairs))


strategy = tf.distribute.MirroredStrategy(devices)
with strategy.scope():
    together = train(weight_decay=0.05)
alone = train(weight_decay=0.05)
without = train(weight_decay=0.0)

kernel = together.layers[0].kernel.value
copies = [copy.numpy() for copy in strategy.experimental_local_results(kernel)]
apart = float(max(np.abs(copy - copies[0]).max() for copy in copies))
distance = difference(together, alone)
effect = difference(without, alone)
print(
    f"{len(copies)} replicas end {apart:.0e} apart and within {distance:.0e} of the "
    f"weights of one device, where the decay has moved weights by up to {effect:.2f}."
)
