"""Every public class through one mill: configs, files, compilation, bad arguments.

A new class is one line of `CONTRACTS`.
"""

import inspect
import itertools
import json
import pickle
import pickletools
import re
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from support import gradient, mostly_slow, to_numpy

import keras_decay as kd
from keras_decay.regularizers import Scaled, Sum


@dataclass
class Contract:
    """How to make an object, and which of its arguments are strengths.

    `kind` says which checks apply; `strengths` are the arguments that must be finite
    and non-negative numbers or scalar variables, `scales` those that must be positive.
    """

    make: Any
    kind: str
    arguments: dict = field(default_factory=dict)
    strengths: tuple = ()
    scales: tuple = ()

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
    "Lp": Contract(kd.Lp, "penalty", {"strength": 0.1, "p": 1.3}, ("strength",)),
    "HuberL1": Contract(
        kd.HuberL1, "penalty", {"strength": 0.1, "delta": 0.2}, ("strength",)
    ),
    "MCP": Contract(kd.MCP, "penalty", {"strength": 0.1}, ("strength",)),
    "SCAD": Contract(kd.SCAD, "penalty", {"strength": 0.1}, ("strength",)),
    "LogSum": Contract(
        kd.LogSum, "penalty", {"strength": 0.1, "epsilon": 0.2}, ("strength",)
    ),
    "GaussianPrior": Contract(
        kd.GaussianPrior, "penalty", {"scale": 0.5, "n_samples": 9}, (), ("scale",)
    ),
    "LaplacePrior": Contract(
        kd.LaplacePrior, "penalty", {"scale": 0.5, "n_samples": 9}, (), ("scale",)
    ),
    "StudentTPrior": Contract(
        kd.StudentTPrior,
        "penalty",
        {"df": 3, "scale": 0.5, "n_samples": 9},
        (),
        ("scale",),
    ),
    "HorseshoePrior": Contract(
        kd.HorseshoePrior, "penalty", {"scale": 0.5, "n_samples": 9}, (), ("scale",)
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
    "NormBall": Contract(
        kd.NormBall, "constraint", {"radius": 2.0, "axis": [0, -1]}, ("radius",)
    ),
    "group NormBall": Contract(
        kd.NormBall, "constraint", {"radius": 0.1, "norm": "group"}
    ),
    "DecoupledWeightDecay": Contract(
        decoupled, "optimizer", {"weight_decay": 0.1}, ("weight_decay",)
    ),
    "with penalty": Contract(decoupled, "optimizer", {"penalty": L1 + 0.5 * L2}),
    "with variables in a sum": Contract(
        lambda: decoupled(
            penalty=kd.L1(keras.Variable(0.125))
            + kd.HuberL1(0.1, 0.2)
            + (kd.GroupLasso(0.1) + kd.L2(0.1)) * keras.Variable(0.5)
        ),
        "optimizer",
    ),
    "with rules": Contract(
        decoupled, "optimizer", {"rules": [("kernel", 0.1, "schedule")]}
    ),
    "Rule": Contract(
        kd.Rule,
        "rule",
        {"pattern": "kernel", "strength": 0.1, "learning_rate": 0.5},
        ("strength",),
    ),
    "with a Rule": Contract(
        decoupled,
        "optimizer",
        {"weight_decay": 0.1, "rules": [kd.Rule("kernel", learning_rate=0.5)]},
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
    "StopOnOverfit": Contract(
        kd.StopOnOverfit, "callback", {"curve": kd.LearningCurve()}
    ),
}
# Abstract, or a result that users do not construct; and the scikit-learn estimator,
# which has that library's own contract.
NO_CONTRACT = {
    *("Audit", "Diagnosis", "Penalty", "Regularized", "Sparsity", "SweepResult"),
    "DecaySearchCV",
    "BackupAndRestore",  # it needs a folder: tests/callbacks/test_backup.py
}

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
RULES = [name for name, c in CONTRACTS.items() if c.kind == "rule"]
CONSTRAINTS = [name for name, c in CONTRACTS.items() if c.kind == "constraint"]
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


@pytest.mark.parametrize("name", PENALTIES + OPTIMIZERS + FORMS + CONSTRAINTS + RULES)
def test_config_survives_json(name):
    thing = CONTRACTS[name]()
    config = thing.get_config()
    text = json.dumps(config)
    again = type(thing).from_config(json.loads(text))
    assert json.dumps(again.get_config()) == text
    type(thing).from_config(config)
    assert json.dumps(config) == text, "from_config changed its argument"


@pytest.mark.parametrize("name", PENALTIES + OPTIMIZERS + FORMS + CONSTRAINTS + RULES)
def test_keras_serialises_and_deserialises(name):
    thing = CONTRACTS[name]()
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(thing)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(thing)
    assert again.get_config() == thing.get_config()


def modules_in(pickled):
    """The modules of this package that a pickle names."""
    texts = [text for _, text, _ in pickletools.genops(pickled)]
    return {t for t in texts if isinstance(t, str) and t.startswith("keras_decay")}


@pytest.mark.parametrize("name", PENALTIES + OPTIMIZERS + FORMS + CONSTRAINTS)
def test_pickles_name_rooms_and_no_files(name):
    thing = CONTRACTS[name]()
    pickled = pickle.dumps(thing)
    again = pickle.loads(pickled)
    assert type(again) is type(thing)
    assert again.get_config() == thing.get_config()
    config = json.dumps(keras.saving.serialize_keras_object(thing))
    in_config = set(re.findall(r'"module": "(keras_decay[^"]*)"', config))
    for modules in (modules_in(pickled), in_config):
        assert modules
        assert modules <= {f"keras_decay.{room}" for room in kd._HOMES}


def test_every_public_class_and_function_is_named_by_its_room():
    for name in kd.__all__:
        pickled = pickle.dumps(getattr(kd, name))
        assert modules_in(pickled) == {f"keras_decay.{kd._HOME[name]}"}, name
        assert pickle.loads(pickled) is getattr(kd, name)


def model_with(penalty=None, optimizer="sgd", constraint=None):
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(
        2, kernel_regularizer=penalty, kernel_constraint=constraint
    )
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(optimizer, "mse")
    return model


X, Y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")


@pytest.mark.parametrize("name", mostly_slow(PENALTIES, PENALTIES[1::6]))
def test_penalty_in_a_saved_model(name, tmp_path):
    model = model_with(CONTRACTS[name]())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    first, second = (m.layers[0].kernel_regularizer for m in (model, loaded))
    assert first.get_config() == second.get_config()
    np.testing.assert_allclose(
        loaded.evaluate(X, Y, verbose=0), model.evaluate(X, Y, verbose=0)
    )


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraint_in_a_saved_model_goes_on_exactly(name, tmp_path):
    model = model_with(constraint=CONTRACTS[name]())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    first, second = (m.layers[0].kernel_constraint for m in (model, loaded))
    assert first.get_config() == second.get_config()
    for m in (model, loaded):
        m.fit(X, 100 * Y, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", mostly_slow(OPTIMIZERS, OPTIMIZERS[::12]))
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


RANKS = list(itertools.product([(4,), (3, 4), (2, 2, 3, 4)], PENALTIES))


@pytest.mark.parametrize("shape, name", mostly_slow(RANKS, RANKS[::3]), ids=str)
def test_penalty_fits_any_rank_and_dtype(shape, name):
    for dtype in ("float32", "float16", "bfloat16"):
        w = ops.cast(np.random.default_rng(0).normal(size=shape), dtype)
        penalty = CONTRACTS[name]()
        value, proximal = penalty(w), penalty.prox(w, 0.1)
        assert tuple(value.shape) == () and np.isfinite(to_numpy(value))
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        assert tuple(proximal.shape) == shape
        assert keras.backend.standardize_dtype(proximal.dtype) == dtype


def awkward_weights():
    """Weights at which a gradient may go wrong, float32."""
    normal = np.random.default_rng(0).normal(size=(4, 3))
    one_row = np.zeros((4, 3))
    one_row[1] = normal[1]
    return {
        "zeros": np.zeros((4, 3)),
        "ones": np.ones((4, 3)),
        "one row": one_row,
        "rank 1": np.outer(normal[:, 0], [1.0, 1.0, -2.0]),
        "orthogonal": np.eye(4, 3),
        "huge": 1e18 * normal,
        "tiny": 1e-30 * normal,
        "subnormal": 1e-42 * np.sign(normal),
    }


@pytest.mark.parametrize("name", mostly_slow(PENALTIES, PENALTIES[::4]))
def test_gradient_and_prox_are_finite_everywhere(name):
    for kind, w in awkward_weights().items():
        if name == "Orthogonal" and kind == "huge":
            w = 1e-10 * w  # fourth powers of 1e18 are no numbers of float32
        w = w.astype("float32")
        assert np.all(np.isfinite(gradient(CONTRACTS[name](), w))), kind
        for step in (0.0, 0.1, 1e6):
            proximal = CONTRACTS[name]().prox(ops.convert_to_tensor(w), step)
            assert np.all(np.isfinite(to_numpy(proximal))), (kind, step)


@pytest.mark.parametrize("name", PENALTIES)
def test_half_precision_does_not_overflow(name):
    # 40,000 entries of 2 have a sum of squares beyond the largest float16, 65504.
    w = np.full((40_000, 1), 2.0, "float16")
    expected = to_numpy(CONTRACTS[name]()(ops.convert_to_tensor(w.astype("float32"))))
    value = to_numpy(CONTRACTS[name]()(ops.convert_to_tensor(w)))
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert np.isfinite(expected)


WITH_STRENGTHS = [name for name in PENALTIES if CONTRACTS[name].strengths]


@pytest.mark.parametrize("name", WITH_STRENGTHS)
def test_a_variable_strength_acts_at_once(name):
    contract = CONTRACTS[name]
    w = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    w = ops.convert_to_tensor(w)
    for argument in contract.strengths:
        strength = keras.Variable(0.7)
        penalty = contract(**{argument: strength})
        assert penalty.variables == [strength]
        for value in (0.5, 1.5):
            strength.assign(value)
            fixed = contract(**{argument: value})
            for ours, theirs in (
                (penalty(w), fixed(w)),
                (penalty.prox(w, 0.2), fixed.prox(w, 0.2)),
            ):
                np.testing.assert_allclose(
                    to_numpy(ours), to_numpy(theirs), rtol=1e-5, atol=1e-6
                )


@pytest.mark.slow
def test_every_penalty_in_every_role_by_its_registered_name():
    branches, rules, terms = [], [], 0
    inputs = keras.Input((6,), dtype="int32")
    for index, name in enumerate(PENALTIES):
        penalty = CONTRACTS[name]()
        named = {
            "class_name": f"keras_decay>{type(penalty).__name__}",
            "config": penalty.get_config(),
        }
        embedding = keras.layers.Embedding(
            5, 4, embeddings_regularizer=named, name=f"embedding_{index}"
        )
        convolution = keras.layers.Conv1D(
            3,
            2,
            kernel_regularizer=named,
            bias_regularizer=named,
            activity_regularizer=named,
            name=f"convolution_{index}",
        )
        branches.append(convolution(embedding(inputs)))
        rules.append((rf"convolution_{index}/", penalty))
        terms += 4
    outputs = keras.layers.Flatten()(keras.layers.Average()(branches))
    model = keras.Model(inputs, keras.layers.Dense(1)(outputs))
    sgd = keras.optimizers.SGD(1e-4)
    model.compile(kd.DecoupledWeightDecay(sgd, rules=rules), "mse")
    x = np.random.default_rng(0).integers(0, 5, (8, 6))
    loss = model.fit(x, np.ones((8, 1)), epochs=2, verbose=0).history["loss"]
    assert np.all(np.isfinite(loss)) and loss[1] < loss[0]
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())
    model(x)
    assert len(model.losses) == terms


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="nothing is traced")
@pytest.mark.parametrize("name", mostly_slow(PENALTIES, ["Lp", "Sum"]))
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
@pytest.mark.parametrize("name", mostly_slow(OPTIMIZERS, OPTIMIZERS[1::6]))
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
    for argument in (*contract.strengths, *contract.scales)
    for problem in BAD_STRENGTHS
] + [(name, a, "zero") for name, c in CONTRACTS.items() for a in c.scales]


@pytest.mark.parametrize("name, argument, problem", BAD)
def test_bad_strength_is_refused_by_name(name, argument, problem):
    with pytest.raises((TypeError, ValueError)) as error:
        CONTRACTS[name](**{argument: (BAD_STRENGTHS | {"zero": 0})[problem]})
    message = str(error.value)
    assert f"`{argument}` must be" in message and f"Received: {argument}=" in message


WITH_STRENGTHS = [n for n, c in CONTRACTS.items() if c.strengths or c.scales]


@pytest.mark.parametrize("name", WITH_STRENGTHS)
def test_numbers_of_numpy_and_variables_are_strengths(name):
    contract = CONTRACTS[name]
    for argument in (*contract.strengths, *contract.scales):
        for value in (
            *((0,) if argument in contract.strengths else ()),
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
    callback = CONTRACTS[name]()
    with_others = [getattr(callback, "curve", callback), callback]
    for callbacks in ([], list(dict.fromkeys(with_others))):
        model = model_with()
        model.fit(X, Y, verbose=0, callbacks=callbacks)
        model.evaluate(X, Y, verbose=0, callbacks=callbacks)
        model.predict(X, verbose=0, callbacks=callbacks)
        attributes.append(set(vars(model)))
    assert attributes[0] == attributes[1]
