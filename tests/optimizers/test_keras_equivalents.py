"""What a Keras optimizer can do, it can do wrapped: λ = 0 on every variable.

The topics are those that Keras tests its optimizers by. Oracle of the steps: the
formulas in NumPy, in float64 (numpy_optimizers.py); of the rest: closed forms for SGD.
"""

import inspect
import json
import pickle

import keras
import numpy as np
import pytest
from keras import ops
from numpy_optimizers import (
    adadelta,
    adafactor,
    adagrad,
    adam,
    adamax,
    lamb,
    lion,
    muon,
    nadam,
    rmsprop,
    sgd,
)
from support import apply_as_fit_does, make_variables, mostly_slow, replay, to_numpy

import keras_decay as kd

BACKEND = keras.backend.backend()
only_tensorflow = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="about TensorFlow's variables and gradients"
)


def wrapped(optimizer, λ=0.0, **arguments):
    # XLA is held against the rest in test_against_oracles.py.
    return kd.DecoupledWeightDecay(
        optimizer, rules=[(".*", λ)], jit_compile=False, **arguments
    )


def has_argument(name, argument):
    return argument in inspect.signature(getattr(keras.optimizers, name)).parameters


def muon_scale(shape):
    """Keras' Muon scaled as its authors do at first, and later as Moonlight does."""
    if has_argument("Muon", "rms_rate"):
        return 0.2 * np.sqrt(max(shape))
    return np.sqrt(max(1, shape[0] / shape[1]))


MUON = {"momentum": 0.9, "ns_steps": 4}
MUON_ADAM = {"beta_1": 0.8, "beta_2": 0.95}
MUON_KERAS = {
    **MUON,
    **{f"adam_{name}": value for name, value in MUON_ADAM.items()},
    "adam_lr_ratio": 1.0,
    "weight_decay": 0.0,
    **({"adam_weight_decay": 0.0} if has_argument("Muon", "adam_weight_decay") else {}),
}
BETAS = {"beta_1": 0.8, "beta_2": 0.95}
η = 0.03
# For each: Keras' class, its arguments, the formula, and its arguments if other.
CASES = {
    "SGD": ("SGD", {}, sgd, {}),
    "SGD momentum": ("SGD", {"momentum": 0.8}, sgd, {"momentum": 0.8}),
    "SGD Nesterov": ("SGD", {"momentum": 0.8, "nesterov": True}, sgd, None),
    "RMSprop": ("RMSprop", {"rho": 0.8}, rmsprop, None),
    "RMSprop centered": (
        "RMSprop",
        {"rho": 0.8, "momentum": 0.5, "centered": True, "epsilon": 0.01},
        rmsprop,
        None,
    ),
    "Adam": ("Adam", BETAS, adam, None),
    "AMSGrad": ("Adam", {**BETAS, "amsgrad": True}, adam, None),
    "Adam, decay None": ("Adam", {**BETAS, "weight_decay": None}, adam, BETAS),
    "AdamW, decay 0": ("AdamW", {**BETAS, "weight_decay": 0.0}, adam, BETAS),
    # With its own ε of 1e-7 Adadelta would hardly move in ten steps.
    "Adadelta": ("Adadelta", {"rho": 0.8, "epsilon": 0.01}, adadelta, None),
    "Adagrad": (
        "Adagrad",
        {"initial_accumulator_value": 0.2},
        adagrad,
        {"initial": 0.2},
    ),
    "Adamax": ("Adamax", BETAS, adamax, None),
    "Adafactor": ("Adafactor", {}, adafactor, None),
    "Nadam": ("Nadam", BETAS, nadam, None),
    "Lion": ("Lion", BETAS, lion, None),
    "Lamb": ("Lamb", BETAS, lamb, None),
    "Muon": ("Muon", MUON_KERAS, muon, {**MUON, "scale": muon_scale, **MUON_ADAM}),
}


def make(case):
    name, arguments, *_ = CASES[case]
    old = name == "Muon" and not has_argument("Muon", "rms_rate")
    if old and BACKEND == "tensorflow":
        pytest.skip("this Keras' own Muon fails on TensorFlow: it looks for a path")
    return getattr(keras.optimizers, name)(η, **arguments)


SHAPES = {
    "tall/kernel": (5, 3),
    "wide/kernel": (3, 4),
    "dense/bias": (4,),
    "conv/kernel": (2, 2, 3, 4),
}


def problem(steps, shapes=SHAPES, seed=0):
    """Start weights, and gradients of which some entries are 0."""
    rng = np.random.default_rng(seed)

    def draw():
        return {n: rng.normal(size=s).astype("float32") for n, s in shapes.items()}

    def gradient(array):
        return array * (rng.uniform(size=array.shape) < 0.9)

    sequence = [{n: gradient(a) for n, a in draw().items()} for _ in range(steps)]
    return draw(), sequence


@pytest.mark.parametrize("case", mostly_slow(CASES, list(CASES)[::3]))
def test_ten_steps_are_those_of_the_formula(case):
    start, sequence = problem(10)
    ours = replay(wrapped(make(case)), start, sequence, compiled=BACKEND == "jax")
    *_, arguments, formula, other = CASES[case]
    for name, w in start.items():
        gradients = [step[name].astype("float64") for step in sequence]
        settings = arguments if other is None else other
        exact = formula(w.astype("float64"), gradients, η=η, **settings)
        assert np.abs(exact - w).max() > 0.01
        np.testing.assert_allclose(
            ours[name], exact, rtol=1e-5, atol=1e-6, err_msg=name
        )


# Adafactor and Lamb look at the weight, which Keras' own decay changes before the step
# and ours after it; AdamW is compared in test_against_oracles.py.
OTHERS = [c for c in CASES if CASES[c][0] not in ("AdamW", "Adafactor", "Lamb")]


@pytest.mark.parametrize("case", mostly_slow(OTHERS, OTHERS[::2]))
def test_decay_is_that_of_keras_own_argument(case):
    start, sequence = problem(3)
    name, arguments, *_ = CASES[case]
    own = {a: 0.5 for a in ("weight_decay", "adam_weight_decay") if a in arguments}
    make(case)  # skips what this Keras cannot do
    theirs = getattr(keras.optimizers, name)(
        η, **{**arguments, "weight_decay": 0.5, **own}
    )
    expected = replay(theirs, start, sequence, compiled=BACKEND == "jax")
    ours = replay(wrapped(make(case), 0.5), start, sequence, compiled=BACKEND == "jax")
    for path, w in start.items():
        assert np.abs(expected[path] - w).max() > 0.01
        np.testing.assert_allclose(ours[path], expected[path], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_configuration_and_pickle(case):
    optimizer = wrapped(make(case), 0.25)
    config = optimizer.get_config()
    again = kd.DecoupledWeightDecay.from_config(json.loads(json.dumps(config)))
    by_name = keras.optimizers.get(keras.optimizers.serialize(optimizer))
    pickled = pickle.loads(pickle.dumps(optimizer))
    for other in (again, by_name, pickled):
        assert type(other) is kd.DecoupledWeightDecay
        assert type(other.optimizer) is type(optimizer.optimizer)
        assert other.get_config() == config and config["rules"] == [[".*", 0.25, None]]
        settings = other.optimizer.get_config()
        assert settings == optimizer.optimizer.get_config()
        assert CASES[case][1].items() <= settings.items()


def variables_and_gradients(steps=1, seed=0):
    start, sequence = problem(steps, {"a/kernel": (3, 2), "b/bias": (2,)}, seed)
    batches = [[ops.convert_to_tensor(g) for g in s.values()] for s in sequence]
    return make_variables(start), batches


def variable(*value):
    return keras.Variable(np.array(value, "float32"))


def gradient(*value):
    return ops.convert_to_tensor(np.array(value, "float32"))


def values(variables):
    return [to_numpy(v) for v in variables]


def assert_all_close(actual, expected, **tolerance):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 1e-6, **tolerance})


@pytest.mark.parametrize("case", ["SGD momentum", "Adam", "Adafactor", "Nadam"])
@pytest.mark.parametrize("by", ["set_weights", "own variables"])
def test_state_moves_to_another_optimizer(case, by):
    variables, batches = variables_and_gradients(3)
    first, second = wrapped(make(case)), wrapped(make(case))
    first.build(variables)
    for grads in batches[:2]:
        first.apply(grads, variables)
    copies = make_variables({v.path: to_numpy(v) for v in variables})
    second.build(copies)
    if by == "set_weights":
        second.set_weights(values(first.variables))
    else:  # as Keras saves them: the wrapped optimizer by itself
        for source, target in ((first, second), (first.optimizer, second.optimizer)):
            store: dict = {}
            source.save_own_variables(store)
            target.load_own_variables(store)
    assert_all_close(values(second.variables), values(first.variables), rtol=0)
    assert int(second.iterations) == 2
    first.apply(batches[2], variables)
    second.apply(batches[2], copies)
    assert_all_close(values(copies), values(variables), rtol=0)


# Keras refuses it on TensorFlow, and its optimizers on PyTorch update in place all the
# same.
@pytest.mark.skipif(BACKEND != "jax", reason="a pure step exists on JAX only")
@pytest.mark.parametrize("case", ["SGD Nesterov", "Adam"])
def test_the_stateless_step_is_the_step_and_changes_nothing(case):
    variables, (grads,) = variables_and_gradients()
    optimizer = wrapped(make(case), 0.1)
    optimizer.build(variables)
    before = values(variables) + values(optimizer.variables)
    weights, state = optimizer.stateless_apply(
        [v.value for v in optimizer.variables], grads, [v.value for v in variables]
    )
    assert_all_close(values(variables) + values(optimizer.variables), before, rtol=0)
    optimizer.apply(grads, variables)
    assert_all_close(map(to_numpy, weights), values(variables))
    assert_all_close(map(to_numpy, state), values(optimizer.variables))


def test_steps_are_counted_and_no_gradients_are_no_step():
    variables, (grads,) = variables_and_gradients()
    optimizer = wrapped(keras.optimizers.SGD(1.0))
    optimizer.build(variables)
    for count in (1, 2):
        optimizer.apply_gradients(zip(grads, variables, strict=True))
        assert int(optimizer.iterations) == count
    optimizer.apply([], [])
    assert int(optimizer.iterations) == 2
    with pytest.raises(ValueError, match="No gradients provided"):
        optimizer.apply([None, None], variables)
    before = values(variables)
    with pytest.warns(UserWarning, match="Gradients do not exist for variables"):
        optimizer.apply([grads[0], None], variables)
    assert_all_close(
        values(variables), [before[0] - to_numpy(grads[0]), before[1]], atol=1e-7
    )


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({"clipnorm": 10.0}, [[6.0, 8.0], [4.8, 6.4]]),
        ({"clipvalue": 7.0}, [[7.0, 7.0], [4.8, 6.4]]),
        ({"global_clipnorm": 8.5}, [[4.5, 6.0], [2.4, 3.2]]),
        ({"loss_scale_factor": 4.0}, [[2.25, 3.0], [1.2, 1.6]]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_gradients_are_clipped_and_unscaled(arguments, expected):
    # Norms 15 and 8, together 17.
    grads = [gradient(9.0, 12.0), gradient(4.8, 6.4)]
    variables = [variable(0.0, 0.0), variable(0.0, 0.0)]
    optimizer = wrapped(keras.optimizers.SGD(1.0, **arguments))
    optimizer.apply(grads, variables)
    assert_all_close([-v for v in values(variables)], expected)
    scaled = float(to_numpy(optimizer.scale_loss(gradient(3.0)))[0])
    assert scaled == 3.0 * arguments.get("loss_scale_factor", 1.0)


def test_accumulated_gradients_act_by_their_mean_and_are_clipped_after():
    w = variable(1.0, 1.0)
    sgd = keras.optimizers.SGD(1.0, gradient_accumulation_steps=2, clipvalue=2.0)
    optimizer = wrapped(sgd)
    optimizer.build([w])
    seen = []
    for grad in ([1.0, 8.0], [2.0, -2.0], [0.0, 0.0], [0.5, 0.25]):
        apply_as_fit_does(optimizer, [gradient(*grad)], [w])
        seen.append(to_numpy(w).tolist())
    # Means 1.5 and 3, clipped to 2; then 0.25 and 0.125.
    assert seen == [[1.0, 1.0], [-0.5, -1.0], [-0.5, -1.0], [-0.75, -1.125]]
    # Keras counts the steps that were made, and not the calls.
    assert int(optimizer.iterations) == 2


def test_the_moving_average_and_its_overwriting():
    w = variable(3.0)
    optimizer = wrapped(
        keras.optimizers.SGD(1.0),
        use_ema=True,
        ema_momentum=0.5,
        ema_overwrite_frequency=3,
    )
    optimizer.build([w])
    seen = []
    for _ in range(4):
        apply_as_fit_does(optimizer, [gradient(1.0)], [w])
        seen.append(float(to_numpy(w)[0]))
    # Averages 2, 1.5, then 0.75, which is written over the third weight, 0.
    assert seen == [2.0, 1.0, 0.75, -0.25]
    optimizer.finalize_variable_values([w])
    assert to_numpy(w)[0] == 0.25


def test_constraints_are_applied():
    w = variable(1.0, -1.0)
    w.constraint = keras.constraints.NonNeg()
    wrapped(keras.optimizers.SGD(1.0)).apply([gradient(0.5, -0.5)], [w])
    assert to_numpy(w).tolist() == [0.5, 0.0]


def test_learning_rates_that_change():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([2], [1.0, 0.25])
    w = variable(0.0)
    optimizer = wrapped(keras.optimizers.SGD(schedule))
    moved = []
    for _ in range(5):
        optimizer.apply([gradient(-1.0)], [w])
        moved.append(float(to_numpy(w)[0]))
    assert moved == [1.0, 2.0, 3.0, 3.25, 3.5]
    assert float(optimizer.learning_rate) == 0.25
    with pytest.raises(TypeError, match="LearningRateSchedule"):
        optimizer.learning_rate = 0.5


def test_a_learning_rate_that_is_set():
    w = variable(0.0)
    optimizer = wrapped(keras.optimizers.SGD(1.0))
    optimizer.build([w])
    optimizer.apply([gradient(-1.0)], [w])
    optimizer.learning_rate = 0.5
    optimizer.apply([gradient(-1.0)], [w])
    assert float(to_numpy(w)[0]) == 1.5
    (rate,) = [v for v in optimizer.variables if v is optimizer.learning_rate]
    count = len(optimizer.variables)
    optimizer.learning_rate = lambda: 0.25
    optimizer.apply([gradient(-1.0)], [w])
    assert float(to_numpy(w)[0]) == 1.75
    # A callable leaves no variable behind.
    assert len(optimizer.variables) == count - 1
    assert all(v is not rate for v in optimizer.variables)


@pytest.mark.parametrize("steps", [None, 2])
def test_variables_that_are_overwritten_with_their_gradient(steps):
    def run(wrap):
        w, scale = variable(1.0), variable(1.0)
        scale.overwrite_with_gradient = True
        sgd = keras.optimizers.SGD(0.5, gradient_accumulation_steps=steps)
        optimizer = wrap(sgd)
        optimizer.build([w, scale])
        seen = []
        for grads in ([1.0, 3.0], [2.0, 7.0], [0.5, 5.0]):
            apply_as_fit_does(optimizer, [gradient(g) for g in grads], [w, scale])
            seen.append([float(to_numpy(v)[0]) for v in (w, scale)])
        return seen

    bare = run(lambda sgd: sgd)
    assert run(wrapped) == bare
    decayed = run(lambda sgd: wrapped(sgd, 0.5))
    assert [s for _, s in decayed] == [s for _, s in bare]
    assert [w for w, _ in decayed] != [w for w, _ in bare]
    if steps is None:
        assert [s for _, s in bare] == [3.0, 7.0, 5.0]


def test_names_are_given_in_order():
    keras.utils.clear_session(free_memory=False)
    names = [wrapped(keras.optimizers.SGD()).name for _ in range(2)]
    assert names == ["decoupled_weight_decay", "decoupled_weight_decay_1"]
    assert wrapped(keras.optimizers.SGD(), name="mine").name == "mine"


@only_tensorflow
@pytest.mark.parametrize("case", CASES)
def test_indexed_slices_are_the_gradient_they_stand_for(case):
    import tensorflow as tf

    start = {"table/embeddings": np.linspace(-1, 1, 10, dtype="float32").reshape(5, 2)}
    # Each row once: Keras squares what stands for the same row twice apart.
    rows = np.array([[1.0, -1.0], [0.5, 2.0]], "float32")
    dense = np.zeros((5, 2), "float32")
    dense[[3, 1]] = rows
    results = []
    for grad in (
        tf.IndexedSlices(rows, np.array([3, 1]), np.array([5, 2])),
        tf.constant(dense),
    ):
        (w,) = make_variables(start)
        optimizer = wrapped(make(case))
        for _ in range(2):
            optimizer.apply([grad], [w])
        results.append(to_numpy(w))
    assert np.abs(results[1] - start["table/embeddings"]).max() > 1e-3
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)


@only_tensorflow
def test_clipping_of_indexed_slices():
    import tensorflow as tf

    w = variable([0.0], [0.0], [0.0])
    rows = tf.IndexedSlices(gradient([3.0], [4.0]), np.array([2, 0]), np.array([3, 1]))
    wrapped(keras.optimizers.SGD(1.0, clipnorm=1.0)).apply([rows], [w])
    assert_all_close([to_numpy(w)], [[[-0.8], [0.0], [-0.6]]])


@only_tensorflow
def test_native_variables_beside_keras_variables():
    import tensorflow as tf

    native, own = tf.Variable([1.0], name="native"), variable(1.0)
    optimizer = wrapped(keras.optimizers.SGD(1.0, momentum=0.5))
    for _ in range(2):
        grads = [gradient(0.5), gradient(0.25)]
        optimizer.apply_gradients(zip(grads, [native, own], strict=True))
    # Steps 1 and 1.5 times the gradient.
    assert [float(native[0]), float(to_numpy(own)[0])] == [-0.25, 0.375]


@only_tensorflow
def test_checkpoints_of_tensorflow(tmp_path):
    import tensorflow as tf

    variables, batches = variables_and_gradients(3)
    optimizer = wrapped(make("Adam"))
    optimizer.build(variables)
    for grads in batches[:2]:
        optimizer.apply(grads, variables)
    checkpoint = tf.train.Checkpoint(optimizer=optimizer)
    path = checkpoint.save(str(tmp_path / "checkpoint"))
    state, weights = values(optimizer.variables), values(variables)
    optimizer.apply(batches[2], variables)
    after = values(variables)
    checkpoint.restore(path).assert_consumed()
    assert_all_close(values(optimizer.variables), state, rtol=0)
    for v, value in zip(variables, weights, strict=True):
        v.assign(value)
    optimizer.apply(batches[2], variables)
    assert_all_close(values(variables), after, rtol=0)
