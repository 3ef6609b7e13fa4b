"""KerasTuner chooses the penalty and its strength, by the loss on the data.

    pip install keras-tuner && python examples/keras_tuner_search.py

Keras' `val_loss` holds the penalty too, so that a tuner that minimises it prefers weak
penalties for being weak. `LearningCurve` puts `val_data_loss` into Keras' logs, without
the penalty, and a tuner can have it as its objective.
"""

import tempfile

import keras
import keras_tuner
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

import keras_decay as kd

PENALTIES = {"L1": kd.L1, "L2": kd.L2, "GroupLasso": kd.GroupLasso}
TRIALS = 5

keras.utils.set_random_seed(0)
x, y = load_diabetes(return_X_y=True)
x_train, x_val, y_train, y_val = train_test_split(
    scale(x), scale(y), test_size=0.3, random_state=0
)


def build(hp):
    """A network whose hidden kernel has a penalty that the tuner chooses."""
    penalty = PENALTIES[hp.Choice("penalty", list(PENALTIES))]
    strength = hp.Float("strength", 1e-4, 1e-1, sampling="log")
    layers = [
        keras.Input((x.shape[1],)),
        keras.layers.Dense(64, "relu", kernel_regularizer=penalty(strength)),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


tuner = keras_tuner.RandomSearch(
    build,
    objective=keras_tuner.Objective("val_data_loss", direction="min"),
    max_trials=TRIALS,
    seed=1,  # not 0, which KerasTuner takes for none
    directory=tempfile.mkdtemp(),
)
tuner.search(
    x_train,
    y_train,
    validation_data=(x_val, y_val),
    batch_size=32,
    epochs=8,
    callbacks=[kd.LearningCurve(live=False)],
    verbose=0,
)


def value(trial, name):
    """What was measured in a trial, in its best epoch."""
    return trial.metrics.get_best_value(name)


def text(trial):
    """A trial's penalty as it would be written."""
    return "{penalty}({strength:.1g})".format(**trial.hyperparameters.values)


trials = list(tuner.oracle.trials.values())
for trial in trials:
    data, total = value(trial, "val_data_loss"), value(trial, "val_loss")
    print(f"{text(trial):>18}: val_data_loss {data:.3f}, val_loss {total:.3f}")

best = tuner.oracle.get_best_trials()[0]
by_keras = min(trials, key=lambda trial: value(trial, "val_loss"))
print(
    f"Of {len(trials)} trials {text(best)} has the lowest loss on the validation data, "
    f"{value(best, 'val_data_loss'):.3f}; by Keras' val_loss, which holds the penalty, "
    f"it would be {text(by_keras)}, with {value(by_keras, 'val_data_loss'):.3f} on the "
    "data."
)
