"""A convolutional network loses whole filters, keeps its accuracy, and is cut down.

Real data: scikit-learn's digits. The penalty acts by its proximal step, so that the
filters are exactly zero.
"""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_decay as kd

EPOCHS, BATCH = 30, 64


def data():
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1).astype("float32")
    return train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)


def trained(penalty):
    """The network after training, and its accuracy on the test data in per cent."""
    x, x_test, y, y_test = data()
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.Conv2D(16, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ]
    model = keras.Sequential(layers)
    steps = EPOCHS * -(-len(x) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    sgd = keras.optimizers.SGD(rate, momentum=0.9)
    optimizer = sgd
    if penalty is not None:
        optimizer = kd.DecoupledWeightDecay(sgd, rules=[("conv2d", penalty)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.fit(x, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    return model, 100 * model.evaluate(x_test, y_test, verbose=0)[1]


@pytest.mark.slow
def test_filters_vanish_and_the_network_is_pruned(tmp_path):
    _, before = trained(None)
    model, after = trained(kd.GroupLasso(5e-3))
    kernels = [layer.kernel for layer in model.layers[:2]]
    dead = [int(np.sum(~np.any(np.asarray(k) != 0, (0, 1, 2)))) for k in kernels]
    assert sum(dead) >= 3
    assert after >= before - 1

    pruned = kd.prune(model)
    widths = [layer.filters for layer in pruned.layers[:2]]
    assert widths[0] <= 16 - dead[0] and widths[1] <= 16 - dead[1]
    x_test = data()[1]
    expected = model.predict(x_test, verbose=0)
    np.testing.assert_allclose(
        pruned.predict(x_test, verbose=0),
        expected,
        rtol=0,
        atol=1e-6 * abs(expected).max(),
    )
    sizes = []
    for name, m in (("full", model), ("pruned", pruned)):
        m.save(tmp_path / f"{name}.keras", include_optimizer=False)
        sizes.append((tmp_path / f"{name}.keras").stat().st_size)
    assert sizes[1] < sizes[0]
    loaded = keras.saving.load_model(tmp_path / "pruned.keras")
    np.testing.assert_array_equal(
        loaded.predict(x_test, verbose=0), pruned.predict(x_test, verbose=0)
    )
