"""Fine-tuning that keeps what was learned: L2SP toward the pretrained weights.

    python examples/fine_tuning.py

A MobileNet of Keras Applications, with random weights so that nothing is downloaded,
learns scikit-learn's digits 0 to 4. It is then fine-tuned on a few images of 5 to 9,
once as it is and once with the penalty λ Σ(w − w₀)² on every kernel, w₀ being its
pretrained weights. How many of the digits 0 to 4 does its old head still know?
"""

import re

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_decay as kd

SHAPE = (32, 32, 3)
IMAGES = 50  # to fine-tune on
STRENGTH = 0.005

keras.utils.set_random_seed(0)
x, y = load_digits(return_X_y=True)
# 8 × 8 pixels from 0 to 16 become 32 × 32 from −1 to 1, in three equal channels.
x = np.kron(x.reshape(-1, 8, 8), np.ones((1, 4, 4))) / 8 - 1
x = np.repeat(x[..., None], 3, axis=-1).astype("float32")
old = y < 5
x_old, x_old_test, y_old, y_old_test = train_test_split(
    x[old], y[old], test_size=300, stratify=y[old], random_state=0
)
x_new, x_new_test, y_new, y_new_test = train_test_split(
    x[~old], y[~old] - 5, train_size=IMAGES, stratify=y[~old], random_state=0
)


def classifier(network, head, rate, training=None):
    """The network with a head, ready to be trained."""
    image = keras.Input(SHAPE)
    model = keras.Model(image, head(network(image, training=training)))
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,  # compiling would take longer than this training
    )
    return model


def accuracy(network, head, images, labels):
    """The share of images that the network, with this head, gets right."""
    scores = head(network(images, training=False))
    guesses = keras.ops.convert_to_numpy(scores).argmax(axis=1)
    return float((guesses == labels).mean())


def kernels(network):
    """The kernels of a network as arrays, by their paths."""
    weights = [v for v in network.trainable_variables if v.path.endswith("kernel")]
    return {v.path: keras.ops.convert_to_numpy(v) for v in weights}


whole = keras.applications.MobileNet(SHAPE, alpha=0.25, include_top=False, weights=None)
# Its first blocks are enough for such small images.
features = whole.get_layer("conv_pw_6_relu").output
pretrained = keras.Model(whole.input, keras.layers.GlobalAveragePooling2D()(features))
for layer in pretrained.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.momentum = 0.9  # 0.99 would take more steps than there are
old_head = keras.layers.Dense(5)
classifier(pretrained, old_head, rate=0.1).fit(x_old, y_old, epochs=8, verbose=0)
known = accuracy(pretrained, old_head, x_old_test, y_old_test)


def fine_tune(strength):
    """Accuracy on the new digits and on the old ones, and how far kernels have gone."""
    network = keras.models.clone_model(pretrained)
    network.set_weights(pretrained.get_weights())
    head = keras.layers.Dense(5, kernel_initializer="zeros")
    # The statistics of batch normalisation stay those of the pretraining.
    model = classifier(network, head, rate=0.1, training=False)
    start = kernels(network)
    if strength:
        rules = [
            (f"^{re.escape(path)}$", kd.L2SP(strength, weights))
            for path, weights in start.items()
        ]
        kd.regularize(model, rules)
    model.fit(x_new, y_new, batch_size=10, epochs=15, verbose=0)
    squares = [np.sum((w - start[path]) ** 2) for path, w in kernels(network).items()]
    return (
        accuracy(network, head, x_new_test, y_new_test),
        accuracy(network, old_head, x_old_test, y_old_test),
        float(np.sqrt(sum(squares))),
    )


plain, held = fine_tune(0), fine_tune(STRENGTH)
for name, (new, still, distance) in {"plain": plain, "L2SP": held}.items():
    print(f"{name:>5}: new {new:.1%}, old {still:.1%}, distance {distance:.2f}")
print(
    f"Of the digits 0 to 4 the pretrained network knows {known:.0%}; fine-tuned on "
    f"{IMAGES} images of 5 to 9 it knows {plain[1]:.0%}, and with L2SP {held[1]:.0%}, "
    f"while it gets {plain[0]:.0%} and {held[0]:.0%} of the new digits right."
)
