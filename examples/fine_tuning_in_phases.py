"""Fine-tuning in phases: the head, then all layers, then on from a file.

    python examples/fine_tuning_in_phases.py FOLDER
    python examples/fine_tuning_in_phases.py FOLDER resume

docs/fine-tune.md explains it. The first command leaves a file for each epoch, and the
second goes on from one. Weights that would be downloaded are replaced by some seconds
of training: the first blocks of a MobileNet learn digits 0 to 4. They are fine-tuned
on 100 images of 5 to 9.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_decay as kd

SHAPE, EPOCHS, INTERRUPTED = (32, 32, 3), 6, 3
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
JIT = keras.backend.backend() == "jax"  # elsewhere compiling takes longer than training

keras.utils.set_random_seed(0)
x, y = load_digits(return_X_y=True)
# 8 × 8 pixels from 0 to 16 become 32 × 32 from −1 to 1, in three equal channels.
x = np.kron(x.reshape(-1, 8, 8), np.ones((1, 4, 4))) / 8 - 1
x = np.repeat(x[..., None], 3, axis=-1).astype("float32")
x_train, x_test, y_train, y_test = train_test_split(
    x[y >= 5], y[y >= 5] - 5, train_size=100, stratify=y[y >= 5], random_state=0
)


def classifier(backbone, training=None):
    image = keras.Input(SHAPE)
    # At zero, so that decay toward its start is decay toward zero.
    head = keras.layers.Dense(
        5, kernel_initializer="zeros", dtype="float32", name="head"
    )
    return keras.Model(image, head(backbone(image, training=training)))


def pretrained():
    whole = keras.applications.MobileNet(SHAPE, 0.25, include_top=False, weights=None)
    blocks = whole.get_layer("conv_pw_4_relu").output
    backbone = keras.Model(whole.input, keras.layers.GlobalAveragePooling2D()(blocks))
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # 0.99 would take more steps than there are
    model = classifier(backbone)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), LOSS, jit_compile=JIT)
    model.fit(x[y < 5], y[y < 5], epochs=4, verbose=0)
    return backbone


def train(model, **settings):
    # A file holds no order of the data: it must be the same each time.
    model.fit(x_train, y_train, batch_size=20, shuffle=False, verbose=0, **settings)
    guesses = keras.ops.convert_to_numpy(model(x_test)).argmax(axis=1)
    print(f"{(guesses == y_test).mean():.0%} of the new digits are right.")


def print_kernels(audit):
    for row in audit.rows:
        if row["decay"]:
            rate, share = row["rate_factor"], row["shrink_per_step"]
            numbers = f"rate × {rate:.2f}  {share:.1e} a step"
            print(f"{row['path']:<16}  {row['decay']}  {numbers}  {row['probe']}")


def fine_tune(folder):
    keras.config.set_dtype_policy("mixed_float16")
    backbone = pretrained()
    # Batch normalisation keeps the statistics of the pretraining.
    model = classifier(backbone, training=False)
    rules = kd.layerwise_rules(model, "default", 1.0, rate_factor=0.8)
    averaged = {"use_ema": True, "ema_momentum": 0.9}
    optimizer = kd.AdamW(0.01, kd.DecayToward(0.1), rules=rules, **averaged)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(scaled, LOSS, jit_compile=JIT)
    scaled.build(model.trainable_variables)  # before a layer is frozen

    backbone.trainable = False
    print(kd.audit(model), "\n")
    train(model, epochs=10)

    backbone.trainable = True
    kd.rebuild(model)
    model.optimizer.learning_rate = 0.003
    print_kernels(kd.audit(model))
    files = keras.callbacks.ModelCheckpoint(folder / "epoch-{epoch}.keras")
    train(model, epochs=EPOCHS, callbacks=[files])
    model.save(folder / "final.keras")


def resume(folder):
    model = keras.saving.load_model(folder / f"epoch-{INTERRUPTED}.keras")
    train(model, initial_epoch=INTERRUPTED, epochs=EPOCHS)
    final = keras.saving.load_model(folder / "final.keras")
    every = [[*each.variables, *each.optimizer.variables] for each in (model, final)]
    numbers = [map(keras.ops.convert_to_numpy, variables) for variables in every]
    same = [np.array_equal(*pair) for pair in zip(*numbers, strict=True)]
    print(f"{sum(same)} of {len(same)} variables are as without an interruption.")


(resume if "resume" in sys.argv else fine_tune)(Path(sys.argv[1]))
