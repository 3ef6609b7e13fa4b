"""Every public class through one mill: configs, files, compilation, bad arguments.

A new class is one line of `CONTRACTS`.
"""

import inspect
import json
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from support import to_numpy

import keras_decay as kd
from keras_decay.regularizers import Scaled, Sum


@dataclass
class Contract:
    """How to make an object, and which of its arguments are strengths.

    `kind` says which checks apply; `strengths` are the arguments that must be finite
    and non-negative numbers or scalar variables.
    """

    make: Any
    kind: str
    arguments: dict = field(default_factory=dict)
    strengths: tuple = ()

    def __call__(self, **changed):
        return self.make(**{**self.arguments, **changed})


def adam():
    return keras.optimizers.Adam(0.01)


def decoupled(**arguments):
    return kd.DecoupledWeightDecay(adam(), **arguments)


L1, L2 = kd.L1(0.1), kd.L2(0.2)
CONTRACTS = {
    "L1": Contract(kd.L1, "penalty", {"l1": 0.1}, ("l1",)),
    "L2": Contract(kd.L2, "penalty", {"l2": 0.1}, ("l2",)),
    "ElasticNet": Contract(
        kd.ElasticNet, "penalty", {"l1": 0.1, "l2": 0.3}, ("l1", "l2")
    ),
    "GroupLasso": Contract(
        kd.GroupLasso, "penalty", {"strength": 0.1, "axis": [0, -1]}, ("strength",)
    ),
    "SparseGroupLasso": Contract(
        kd.SparseGroupLasso, "penalty", {"l1": 0.1, "group": 0.2}, ("l1", "group")
    ),
    "Nuclear": Contract(kd.Nuclear, "penalty", {"strength": 0.1}, ("strength",)),
    "SpectralNorm": Contract(
        kd.SpectralNorm, "penalty", {"strength": 0.1}, ("strength",)
    ),
    "Orthogonal": Contract(kd.Orthogonal, "penalty", {"strength": 0.1}, ("strength",)),
    "TotalVariation": Contract(
        kd.TotalVariation, "penalty", {"strength": 0.1, "axis": 0}, ("strength",)
    ),
    "HoyerSquare": Contract(
        kd.HoyerSquare, "penalty", {"strength": 0.1}, ("strength",)
    ),
    "L2SP": Contract(
        kd.L2SP, "penalty", {"strength": 0.1, "reference": 0.3}, ("strength",)
    ),
    "Sum": Contract(Sum, "penalty", {"penalties": [L1, L2]}),
    "Scaled": Contract(Scaled, "penalty", {"penalty": L1, "factor": 0.5}, ("factor",)),
    "DecoupledWeightDecay": Contract(
        decoupled, "optimizer", {"weight_decay": 0.1}, ("weight_decay",)
    ),
    "with penalty": Contract(decoupled, "optimizer", {"penalty": L1 + 0.5 * L2}),
    "with rules": Contract(
        decoupled, "optimizer", {"rules": [("kernel", 0.1, "schedule")]}
    ),
    "with schedule": Contract(
        decoupled,
        "optimizer",
        {"weight_decay": keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.9)},
    ),
    "AdamW": Contract(kd.AdamW, "optimizer", {}, ("weight_decay",)),
    "DecayToward": Contract(
        kd.DecayToward, "form", {"weight_decay": 0.1}, ("weight_decay",)
    ),
    "TargetNormDecay": Contract(
        kd.TargetNormDecay, "form", {"weight_decay": 0.1}, ("weight_decay",)
    ),
    "StableDecay": Contract(
        kd.StableDecay, "form", {"weight_decay": 0.1}, ("weight_decay",)
    ),
    "TouchedRowsDecay": Contract(
        kd.TouchedRowsDecay, "form", {"weight_decay": 0.1}, ("weight_decay",)
    ),
    "ConstrainedDecay": Contract(kd.ConstrainedDecay, "form", {"warmup_steps": 2}),
    "SGDW": Contract(kd.SGDW, "optimizer", {"nesterov": True}, ("weight_decay",)),
    "LearningCurve": Contract(kd.LearningCurve, "callback"),
}
# Abstract, or a result that users do not construct.
NO_CONTRACT = {"Audit", "Diagnosis", "Penalty"}

# Every form of decay around an optimizer, as the default and in a rule.
for name, contract in [(n, c) for n, c in CONTRACTS.items() if c.kind == "form"]:
    CONTRACTS[f"with {name}"] = Contract(
        decoupled, "optimizer", {"weight_decay": contract()}
    )
    CONTRACTS[f"with {name} in a rule"] = Contract(
        decoupled, "optimizer", {"rules": [("kernel", contract())]}
    )

PENALTIES = [name for name, c in CONTRACTS.items() if c.kind == "penalty"]
OPTIMIZERS = [name for name, c in CONTRACTS.items() if c.kind == "optimizer"]
FORMS = [name for name, c in CONTRACTS.items() if c.kind == "form"]
CALLBACKS = [name for name, c in CONTRACTS.items() if c.kind == "callback"]
BAD_STRENGTHS = {
    "a string": "0.1",
    "a boolean": True,
    "a list": [0.1],
    "an array": np.ones(2),
    "NaN": float("nan"),
    "infinite": np.inf,
    "negative": -1e-9,
    "too large for a float": 10**400,
    "a complex number": 1j,
    "a tensor of rank 1": keras.Variable([1.0]),
    "an integer tensor": keras.Variable(1, dtype="int32", trainable=False),
}


def test_every_public_class_has_a_contract():
    classes = {n for n in kd.__all__ if inspect.isclass(getattr(kd, n))}
    assert classes - NO_CONTRACT <= set(CONTRACTS)


@pytest.mark.parametrize("name", PENALTIES + OPTIMIZERS + FORMS)
def test_config_survives_json(name):
    thing = CONTRACTS[name]()
    config = thing.get_config()
    text = json.dumps(config)
    again = type(thing).from_config(json.loads(text))
    assert json.dumps(again.get_config()) == text
    type(thing).from_config(config)
    assert json.dumps(config) == text, "from_config changed its argument"


@pytest.mark.parametrize("name", PENALTIES + OPTIMIZERS + FORMS)
def test_keras_serialises_and_deserialises(name):
    thing = CONTRACTS[name]()
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(thing)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(thing)
    assert again.get_config() == thing.get_config()


def model_with(penalty=None, optimizer="sgd"):
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(2, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(optimizer, "mse")
    return model


X, Y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_in_a_saved_model(name, tmp_path):
    model = model_with(CONTRACTS[name]())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    first, second = (m.layers[0].kernel_regularizer for m in (model, loaded))
    assert first.get_config() == second.get_config()
    np.testing.assert_allclose(
        loaded.evaluate(X, Y, verbose=0), model.evaluate(X, Y, verbose=0)
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_in_a_saved_model_goes_on_exactly(name, tmp_path):
    model = model_with(optimizer=CONTRACTS[name]())
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for m in (model, loaded):
        m.fit(X, Y, epochs=2, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 2, 3, 4)], ids=str)
def test_penalty_fits_any_rank_and_dtype(name, shape):
    for dtype in ("float32", "float16", "bfloat16"):
        w = ops.cast(np.random.default_rng(0).normal(size=shape), dtype)
        penalty = CONTRACTS[name]()
        value, proximal = penalty(w), penalty.prox(w, 0.1)
        assert tuple(value.shape) == () and np.isfinite(to_numpy(value))
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        assert tuple(proximal.shape) == shape
        assert keras.backend.standardize_dtype(proximal.dtype) == dtype


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="nothing is traced")
@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_is_traced_once(name):
    penalty, traces = CONTRACTS[name](), []

    def both(w):
        traces.append(1)
        return penalty(w), penalty.prox(w, 0.1)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        compiled = tf.function(both, jit_compile=True)
    else:
        import jax

        compiled = jax.jit(both)
    for seed in range(3):
        w = np.random.default_rng(seed).normal(size=(3, 4)).astype("float32")
        w = ops.convert_to_tensor(w)
        value, proximal = compiled(w)
        np.testing.assert_allclose(to_numpy(value), to_numpy(penalty(w)), rtol=1e-5)
        np.testing.assert_allclose(
            to_numpy(proximal), to_numpy(penalty.prox(w, 0.1)), rtol=1e-5
        )
    assert len(traces) == 1


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="nothing is traced")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_is_traced_once_in_fit(name):
    model, traces = model_with(optimizer=CONTRACTS[name]()), []
    apply = model.optimizer.optimizer.apply

    def counting(*arguments, **keywords):
        traces.append(1)
        return apply(*arguments, **keywords)

    model.optimizer.optimizer.apply = counting
    model.fit(X, Y, batch_size=4, epochs=1, verbose=0)
    once = len(traces)
    model.fit(X, Y, batch_size=4, epochs=3, verbose=0)
    assert 1 <= once <= 2 and len(traces) == once


BAD = [
    (name, argument, problem)
    for name, contract in CONTRACTS.items()
    for argument in contract.strengths
    for problem in BAD_STRENGTHS
]


@pytest.mark.parametrize("name, argument, problem", BAD)
def test_bad_strength_is_refused_by_name(name, argument, problem):
    with pytest.raises((TypeError, ValueError)) as error:
        CONTRACTS[name](**{argument: BAD_STRENGTHS[problem]})
    message = str(error.value)
    assert f"`{argument}` must be" in message and f"Received: {argument}=" in message


@pytest.mark.parametrize("name", [n for n, c in CONTRACTS.items() if c.strengths])
def test_numbers_of_numpy_and_variables_are_strengths(name):
    contract = CONTRACTS[name]
    for argument in contract.strengths:
        for value in (
            0,
            1,
            np.float32(0.5),
            np.int64(2),
            np.array(0.25),
            keras.Variable(0.5),
        ):
            assert contract(**{argument: value}).get_config()[argument] == float(
                to_numpy(value)
            )


@pytest.mark.parametrize("name", CALLBACKS)
def test_callback_goes_into_fit_evaluate_and_predict(name):
    attributes = []
    for callbacks in ([], [CONTRACTS[name]()]):
        model = model_with()
        model.fit(X, Y, verbose=0, callbacks=callbacks)
        model.evaluate(X, Y, verbose=0, callbacks=callbacks)
        model.predict(X, verbose=0, callbacks=callbacks)
        attributes.append(set(vars(model)))
    assert attributes[0] == attributes[1]
