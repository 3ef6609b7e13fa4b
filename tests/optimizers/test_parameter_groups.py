"""`kd.Rule(learning_rate=m)` against parameter groups of `torch.optim`, in float64.

They agree for AdamW, for Adagrad from equal accumulators, and for SGD with momentum at
a constant rate; Keras keeps the rate within the velocity.
"""

import keras
import numpy as np
import pytest
from support import recorded_gradients, replay

import keras_decay as kd

pytestmark = pytest.mark.needs("torch")

STEPS, ETA, M, DECAY = 100, 0.01, 0.25, 0.5
# See test_against_oracles.py: these betas are exact in float32.
BETAS = (0.875, 1 - 2.0**-10)
SMALL = 1e-14


def adamw():
    rules = [kd.Rule("dense", learning_rate=M), kd.Rule(".*")]
    adam = keras.optimizers.Adam(ETA, *BETAS, epsilon=SMALL)
    settings = {"betas": BETAS, "eps": SMALL, "weight_decay": DECAY}
    # Biases are not decayed by default, and have a group of their own.
    return kd.DecoupledWeightDecay(adam, DECAY, rules=rules), "AdamW", settings


def adagrad():
    rules = [kd.Rule("dense", None, learning_rate=M), (".*", None)]
    settings = {"initial_accumulator_value": 0.1, "eps": SMALL}
    inner = keras.optimizers.Adagrad(ETA, 0.1, epsilon=SMALL)
    return kd.DecoupledWeightDecay(inner, rules=rules), "Adagrad", settings


def momentum():
    rules = [kd.Rule("dense", None, learning_rate=M), (".*", None)]
    inner = keras.optimizers.SGD(ETA, 0.875)
    settings = {"momentum": 0.875}
    return kd.DecoupledWeightDecay(inner, rules=rules), "SGD", settings


def by_torch(name, settings, start, sequence):
    import torch

    weights = {n: torch.tensor(w, requires_grad=True) for n, w in start.items()}
    groups = []
    for path, weight in weights.items():
        group = {"params": [weight], "lr": ETA * (M if "dense" in path else 1)}
        if "weight_decay" in settings and path.endswith("bias"):
            group["weight_decay"] = 0.0
        groups.append(group)
    optimizer = getattr(torch.optim, name)(groups, **{"lr": ETA, **settings})
    for gradients in sequence:
        for path, gradient in gradients.items():
            weights[path].grad = torch.tensor(gradient)
        optimizer.step()
    return {path: weight.detach().numpy() for path, weight in weights.items()}


@pytest.mark.parametrize("make", [adamw, adagrad, momentum])
def test_a_rule_is_a_parameter_group(make, float64):
    optimizer, name, settings = make()
    start, sequence = recorded_gradients(STEPS, dtype="float64")
    ours = replay(optimizer, start, sequence, compiled="graph")
    theirs = by_torch(name, settings, start, sequence)
    for path, expected in theirs.items():
        np.testing.assert_allclose(ours[path], expected, 0, 1e-9, err_msg=path)
    moved = {path: np.abs(theirs[path] - start[path]).max() for path in start}
    assert min(moved.values()) > 1e-3
