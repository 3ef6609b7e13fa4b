"""The settings of Keras' optimizers on the wrapper: they act, or are refused by name.

The oracle of a setting that acts is the same optimizer of Keras' without the wrapper.
"""

import inspect

import keras
import numpy as np
import pytest
from keras import ops
from support import make_variables, mostly_slow, to_numpy

import keras_decay as kd
from keras_decay.optimizers.settings import AVERAGE, CLIPPING


def step(optimizer, times=1):
    """A weight of ones after steps with a gradient of (100, 1)."""
    variable = keras.Variable(np.ones(2, "float32"))
    for _ in range(times):
        optimizer.apply([ops.convert_to_tensor([100.0, 1.0])], [variable])
    return to_numpy(variable)


def wrapped(inner=None, **arguments):
    return kd.DecoupledWeightDecay(inner or keras.optimizers.SGD(0.5), 0.0, **arguments)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", CLIPPING)
def test_clipping_acts_and_reads_through(name, jit_compile):
    given = wrapped(keras.optimizers.SGD(0.5, **{name: 3.0}))
    assert getattr(given, name) == 3.0
    bare = keras.optimizers.SGD(0.25)
    optimizer = wrapped(keras.optimizers.SGD(0.25), jit_compile=jit_compile)
    assert getattr(optimizer, name) is None
    variable = keras.Variable(np.ones(2, "float32"))
    grads = [ops.convert_to_tensor([100.0, 1.0])]
    optimizer.apply(grads, [variable])  # one that is compiled notices the change
    variable.assign([1.0, 1.0])
    setattr(bare, name, 2.0)
    setattr(optimizer, name, 2.0)
    assert getattr(optimizer.optimizer, name) == getattr(optimizer, name) == 2.0
    optimizer.apply(grads, [variable])
    np.testing.assert_allclose(to_numpy(variable), step(bare), rtol=1e-6)
    assert optimizer.get_config()["optimizer"]["config"][name] == 2.0


def test_only_one_kind_of_clipping_is_set():
    optimizer = wrapped(keras.optimizers.SGD(0.5, clipnorm=1.0))
    with pytest.raises(
        ValueError, match="`clipvalue` must not be set beside `clipnorm"
    ):
        optimizer.clipvalue = 1.0
    optimizer.clipnorm = None
    optimizer.clipvalue = 1.0
    for name, value in [("clipnorm", -1.0), ("clipnorm", float("nan"))]:
        with pytest.raises(ValueError, match="`clipnorm` must be a finite number"):
            setattr(wrapped(), name, value)
    with pytest.raises(TypeError, match="`global_clipnorm` must be a finite number"):
        wrapped().global_clipnorm = "1"


def test_accumulation_acts_before_building_and_is_refused_afterwards():
    optimizer, bare = wrapped(), keras.optimizers.SGD(0.5)
    optimizer.gradient_accumulation_steps = bare.gradient_accumulation_steps = 2
    assert optimizer.gradient_accumulation_steps == 2
    np.testing.assert_allclose(step(optimizer, 3), step(bare, 3), rtol=1e-6)
    # The wrapped optimizer alone has accumulators.
    assert len(optimizer.variables) == 1 + len(optimizer.optimizer.variables)
    optimizer.gradient_accumulation_steps = 2
    for value in (None, 3):
        with pytest.raises(
            ValueError, match="`gradient_accumulation_steps` must be set"
        ):
            optimizer.gradient_accumulation_steps = value
    with pytest.raises(ValueError, match="whole number of at least 2"):
        wrapped().gradient_accumulation_steps = 1


def test_settings_of_one_kind_of_optimizer_read_through_and_act():
    bare, optimizer = keras.optimizers.SGD(0.5, 0.9), wrapped(keras.optimizers.SGD(0.5))
    assert optimizer.momentum == 0.0 and optimizer.nesterov is False
    optimizer.momentum = 0.9
    assert optimizer.optimizer.momentum == 0.9
    assert "momentum" not in vars(optimizer)
    np.testing.assert_allclose(step(optimizer, 2), step(bare, 2), rtol=1e-6)
    with pytest.raises(AttributeError, match="no attribute 'beta_1'"):
        optimizer.beta_1  # noqa: B018


KINDS = {
    "SGD": {},
    "RMSprop": {},
    "Adam": {},
    "AdamW": {"weight_decay": 0.0},
    "Adadelta": {},
    "Adagrad": {},
    "Adamax": {},
    "Adafactor": {},
    "Nadam": {},
    "Lion": {},
    "Lamb": {},
    "Muon": {"weight_decay": 0.0, "adam_weight_decay": 0.0},
}
# On TensorFlow the Muon of older versions of Keras fails by itself.
if "rms_rate" not in inspect.signature(keras.optimizers.Muon).parameters:
    del KINDS["Muon"]
# What every optimizer has; the second line is tested in other tests.
COMMON = ["learning_rate", "loss_scale_factor", *CLIPPING]
OTHERS = ["gradient_accumulation_steps", "weight_decay", "adam_weight_decay", "name"]
OTHERS += ["self", "kwargs", *AVERAGE]
VALUES = {
    **dict.fromkeys(("epsilon", "epsilon_1", "momentum"), 0.5),
    "epsilon_2": 5.0,
    **{"ns_steps": 2, "exclude_layers": ["kernel"], "clip_threshold": 0.01},
    **{"learning_rate": 0.03, "loss_scale_factor": 4.0, "rms_rate": 0.7},
    **dict.fromkeys(CLIPPING, 0.25),
}
TABLES = {"dense/kernel": (3, 4), "embedding/table": (3, 4), "dense/bias": (4,)}


def hyperparameters(kind):
    names = inspect.signature(getattr(keras.optimizers, kind).__init__).parameters
    return [n for n in names if n not in COMMON and n not in OTHERS]


# Nesterov's step needs momentum. Keras' Adafactor takes the smaller of η and 1/√t with
# `relative_step` and without.
NEEDED = {("SGD", "nesterov"): {"momentum": 0.9}}
IDLE = [("Adafactor", "relative_step")]
CELLS = [(kind, name) for kind in KINDS for name in hyperparameters(kind) + COMMON]
QUICK = [cell for cell in CELLS if cell[0] == "SGD"]


def moved(optimizer, name=None, value=None, steps=4):
    """The variables after steps, between which one setting is set."""
    rng = np.random.default_rng(0)
    start = {key: rng.normal(size=shape) for key, shape in TABLES.items()}
    variables = make_variables({k: w.astype("float32") for k, w in start.items()})
    for step in range(steps):
        grads = [rng.normal(size=shape).astype("float32") for shape in TABLES.values()]
        optimizer.apply([ops.convert_to_tensor(g) for g in grads], variables)
        if name is not None and step == 1:
            setattr(optimizer, name, value)
    return [to_numpy(v) for v in variables]


@pytest.mark.parametrize("kind, name", mostly_slow(CELLS, QUICK))
def test_every_setting_of_every_optimizer(kind, name):
    """Read through the wrapper; set after two steps, it acts as on the bare one.

    What Keras cannot do then, since it fails or nothing changes, is refused by name.
    """

    def make():
        settings = {**KINDS[kind], **NEEDED.get((kind, name), {})}
        return getattr(keras.optimizers, kind)(0.01, **settings)

    wrapper = wrapped(make())
    value = getattr(make(), name)
    if name != "learning_rate":
        assert getattr(wrapper, name) == value
    other = VALUES.get(name)
    if other is None:
        other = not value if isinstance(value, bool) else value / 2
    as_ever = moved(make())
    try:
        expected = moved(make(), name, other)
        acts = any(np.any(a != b) for a, b in zip(as_ever, expected, strict=True))
    except Exception:  # whatever Keras falls over
        acts = False
    if not acts and name not in COMMON and (kind, name) not in IDLE:
        with pytest.raises(ValueError, match=f"`{name}` must be set before"):
            moved(wrapper, name, other)
        return
    found = moved(wrapper, name, other)
    for one, bare in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, bare, 1e-5, 1e-6)
    assert to_numpy(getattr(wrapper, name)) == pytest.approx(other)
    early, given = wrapped(make()), make()
    for optimizer in (early, given):
        setattr(optimizer, name, other)  # before it is built
    for one, bare in zip(moved(early), moved(given), strict=True):
        np.testing.assert_allclose(one, bare, 1e-5, 1e-6)


@pytest.mark.parametrize("kind", mostly_slow(KINDS, ["SGD", *list(KINDS)[-1:]]))
def test_what_cannot_act_is_refused_around_every_optimizer(kind):
    optimizer = wrapped(getattr(keras.optimizers, kind)(0.01, **KINDS[kind]))
    moved(optimizer)
    for name, value in (("gradient_accumulation_steps", 2), ("use_ema", True)):
        with pytest.raises(ValueError, match=f"`{name}` must be set before"):
            setattr(optimizer, name, value)
    if hasattr(optimizer, "adam_weight_decay"):
        with pytest.raises(ValueError, match="`adam_weight_decay` must be 0"):
            optimizer.adam_weight_decay = 0.1
        optimizer.adam_weight_decay = None


def test_rate_scale_and_count_are_those_of_the_wrapped_optimizer():
    optimizer = wrapped()
    optimizer.learning_rate = 0.25
    optimizer.loss_scale_factor = 2.0
    assert float(to_numpy(optimizer.optimizer.learning_rate)) == 0.25
    assert optimizer.optimizer.loss_scale_factor == optimizer.loss_scale_factor == 2.0
    np.testing.assert_allclose(step(optimizer), [-11.5, 0.875])
    with pytest.raises(AttributeError):
        optimizer.iterations = 3


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_average_is_set_before_building_and_its_momentum_at_any_time(jit_compile):
    optimizer = wrapped(jit_compile=jit_compile)
    optimizer.use_ema = True
    variable = keras.Variable(np.ones(2, "float32"))
    for momentum in (0.5, 0.0):
        optimizer.ema_momentum = momentum
        optimizer.apply([ops.convert_to_tensor([100.0, 1.0])], [variable])
    average = optimizer._model_variables_moving_average[0]
    np.testing.assert_allclose(to_numpy(average), to_numpy(variable))
    built = wrapped()
    step(built)
    with pytest.raises(ValueError, match="`use_ema` must be set before the optimizer"):
        built.use_ema = True
    built.use_ema = False
    with pytest.raises(ValueError, match="`ema_momentum` must be a finite number"):
        built.ema_momentum = 2.0
    with pytest.raises(ValueError, match="`ema_overwrite_frequency` must be a whole"):
        built.ema_overwrite_frequency = 0


def test_subclasses_have_attributes_of_their_own():
    class Own(kd.DecoupledWeightDecay):
        kind = "own"

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.comment = "mine"
            self.counter = keras.Variable(1.0)

    optimizer = Own(keras.optimizers.SGD(0.5), 0.5)
    optimizer.kind = "changed"
    assert vars(optimizer)["comment"] == "mine" and optimizer.kind == "changed"
    assert any(optimizer.counter is v for v in optimizer.variables)
    optimizer.name = "renamed"
    assert optimizer.optimizer.name != "renamed"


def test_gradients_may_be_numpy_arrays_and_lists():
    start = np.ones((2, 2), "float32")
    results = []
    for gradient in (
        ops.ones((2, 2)),
        start,
        np.ones((2, 2)),
        [[1.0, 1.0], [1.0, 1.0]],
    ):
        variable = keras.Variable(start)
        kd.AdamW(0.1, 0.5).apply([gradient], [variable])
        results.append(to_numpy(variable))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
