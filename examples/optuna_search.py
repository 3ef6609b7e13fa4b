"""Optuna proposes strengths, `kd.sweep` trains a whole round of them at once.

    pip install optuna && python examples/optuna_search.py

A study is usually a loop over trainings, each compiled anew. Candidates that differ in
numbers only can be trained together in one compiled program instead: Optuna is asked
for a round of trials, `sweep` trains them, and Optuna is told their losses on the
validation data, without the penalty. The choice is then held to rows not seen so far.
"""

import time

import keras
import numpy as np
import optuna
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

import keras_decay as kd

ROUNDS, TRIALS = 2, 12
TRAINING = {"epochs": 40, "batch_size": 64, "verbose": False}

x, y = load_diabetes(return_X_y=True)
x_rest, x_test, y_rest, y_test = train_test_split(
    scale(x), scale(y), test_size=0.25, random_state=0
)


def build(l1, l2):
    """A network that overfits, unless its penalty keeps it from that."""
    layers = [
        keras.layers.Dense(128, "relu", kernel_regularizer=kd.ElasticNet(l1, l2)),
        keras.layers.Dense(128, "relu", kernel_regularizer=kd.ElasticNet(l1, l2)),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    return model


strength = optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True)
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
start = time.perf_counter()
for number in range(ROUNDS):
    trials = [study.ask({"l1": strength, "l2": strength}) for _ in range(TRIALS)]
    params = [trial.params for trial in trials]
    result = kd.sweep(build, params, x_rest, y_rest, validation_split=0.25, **TRAINING)
    losses = result.final["val_data_loss"].mean(axis=1)  # over seeds
    for trial, loss in zip(trials, losses, strict=True):
        study.tell(trial, float(loss))
    print(f"round {number + 1}: {losses.min():.3f} to {losses.max():.3f}")
seconds = time.perf_counter() - start

candidates = [{"l1": 0.0, "l2": 0.0}, study.best_params]
compared = kd.sweep(
    build,
    candidates,
    x_rest,
    y_rest,
    validation_data=(x_test, y_test),
    seeds=3,
    **TRAINING,
)
without, chosen = np.mean(compared.final["val_data_loss"], axis=1)
print(
    f"{len(study.trials)} trials in {ROUNDS} compiled programs took {seconds:.1f} s; "
    f"chosen is l1={study.best_params['l1']:.1g}, l2={study.best_params['l2']:.1g}: on "
    f"test rows the error is {chosen:.3f}, and {without:.3f} without a penalty."
)
