"""Decay of pure bfloat16 and float16 weights, which rounding would swallow.

Oracle: the exact product Π(1 − c_t λ_t), and, with gradients, the same displacements
summed up in float64.
"""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from support import mostly_slow, to_numpy

import keras_decay as kd

RATE, DECAY, STEPS, SIZE = 1e-3, 0.1, 1000, 10_000
DTYPES = ["bfloat16", "float16"]


def weights(dtype):
    """10,000 random weights in `dtype`."""
    values = np.random.default_rng(0).normal(size=(100, SIZE // 100)) * 0.05
    return ops.cast(values.astype("float32"), dtype)


def one_layer(dtype, optimizer):
    """A model whose one kernel has the given type."""
    layer = keras.layers.Dense(SIZE // 100, use_bias=False, dtype=dtype)
    model = keras.Sequential([keras.Input((100,), dtype=dtype), layer])
    layer.kernel.assign(weights(dtype))
    model.compile(optimizer, "mse", jit_compile=False)
    optimizer.build(model.trainable_variables)
    return model


def stepper(optimizer, variable):
    """A function of one gradient that makes a step, compiled as in `fit`."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda grad: optimizer.apply([grad], [variable]))
    if keras.backend.backend() == "torch":
        return lambda grad: optimizer.apply([grad], [variable])
    import jax

    apply = jax.jit(optimizer.stateless_apply)

    def step(grad):
        state = [v.value for v in optimizer.variables]
        new, state = apply(state, [grad], [variable.value])
        variable.assign(new[0])
        for variable_of_state, value in zip(optimizer.variables, state, strict=True):
            variable_of_state.assign(value)

    return step


def steps_of(model):
    return stepper(model.optimizer, model.layers[0].kernel)


def assert_within_one_percent(kernel, exact, dtype):
    """Every entry, or as near as the type's own spacing near zero allows."""
    spacing = {"bfloat16": 0.0, "float16": 2.0**-24}[dtype]
    error = np.abs(to_numpy(kernel).astype("float64") - exact)
    assert np.all(error <= 0.01 * np.abs(exact) + 0.5 * spacing)


CASES = list(itertools.product(DTYPES, ["zero", "real"]))


@pytest.mark.parametrize("dtype, gradients", mostly_slow(CASES, [("bfloat16", "real")]))
def test_a_thousand_steps_decay_each_entry_also_across_a_file(
    dtype, gradients, tmp_path
):
    inner = keras.optimizers.SGD(RATE)
    optimizer = kd.DecoupledWeightDecay(inner, DECAY, jit_compile=False)
    model = one_layer(dtype, optimizer)
    kernel = model.layers[0].kernel
    exact = to_numpy(kernel).astype("float64")
    bare = keras.optimizers.SGD(RATE)
    copy = keras.Variable(ops.copy(kernel), dtype=dtype)
    bare.build([copy])
    bare_step = stepper(bare, copy)
    rng = np.random.default_rng(1)
    grad = ops.zeros(kernel.shape, dtype)
    step = steps_of(model)
    for index in range(STEPS):
        if gradients == "real":
            if index % 50 == 0:
                noise = rng.normal(size=kernel.shape).astype("float32")
                grad = ops.cast(noise, dtype)
            # What the inner optimizer makes of it, its own rounding included.
            before = to_numpy(kernel).astype("float64")
            copy.assign(ops.copy(kernel))
            bare_step(grad)
            u = before - to_numpy(copy).astype("float64")
        else:
            u = 0.0
        exact = exact - u - RATE * DECAY * exact
        step(grad)
        if index == STEPS // 2:
            model.save(tmp_path / "half.keras")
            model = keras.saving.load_model(tmp_path / "half.keras")
            kernel, step = model.layers[0].kernel, steps_of(model)
            assert keras.backend.standardize_dtype(kernel.dtype) == dtype
    if gradients == "zero":
        np.testing.assert_allclose(
            exact,
            to_numpy(weights(dtype)).astype("float64") * (1 - RATE * DECAY) ** STEPS,
            rtol=1e-10,
        )
        assert_within_one_percent(kernel, exact, dtype)
    else:
        # Displacements and decay nearly cancel in some entries, so that their sum is
        # small against what it is made of: measured against the weights' own scale.
        error = np.abs(to_numpy(kernel).astype("float64") - exact)
        assert np.all(error <= 0.01 * np.maximum(np.abs(exact), 0.05))


@pytest.mark.parametrize("dtype", DTYPES)
def test_compiled_by_xla_too(dtype):
    """XLA may leave out a cast there and back, and with it the residual."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("on JAX the test above is compiled, on PyTorch nothing is")
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(RATE), DECAY, jit_compile=True
    )
    model = one_layer(dtype, optimizer)
    kernel = model.layers[0].kernel
    exact = to_numpy(kernel) * (1 - RATE * DECAY) ** STEPS
    for _ in range(STEPS):
        optimizer.apply([ops.zeros(kernel.shape, dtype)], [kernel])
    assert_within_one_percent(kernel, exact, dtype)


def test_keras_own_decay_vanishes():
    """What all this is for."""
    optimizer = keras.optimizers.SGD(RATE, weight_decay=DECAY)
    model = one_layer("bfloat16", optimizer)
    kernel = model.layers[0].kernel
    before = to_numpy(kernel)
    for _ in range(20):
        optimizer.apply([ops.zeros(kernel.shape, "bfloat16")], [kernel])
    np.testing.assert_array_equal(to_numpy(kernel), before)


def test_residuals_exist_for_decayed_half_precision_weights_only():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, dtype="bfloat16", name="half"),
            keras.layers.Dense(2, name="single"),
        ]
    )
    optimizer = kd.SGDW(0.1, 0.1, momentum=0.0)
    optimizer.build(model.trainable_variables)
    (residual,) = [v for v in optimizer.variables if v.name.endswith("residual")]
    assert residual.shape == (4, 3)
    assert keras.backend.standardize_dtype(residual.dtype) == "float32"


def test_weights_set_from_outside_forget_their_residual():
    model = one_layer("bfloat16", kd.SGDW(RATE, DECAY, momentum=0.0))
    kernel, step = model.layers[0].kernel, steps_of(model)
    zero = ops.zeros(kernel.shape, "bfloat16")
    for _ in range(5):
        step(zero)
    kernel.assign(ops.zeros(kernel.shape, "bfloat16"))
    step(zero)
    np.testing.assert_array_equal(to_numpy(kernel), 0)
    residual = model.optimizer.variables[-1]
    (residual,) = [v for v in model.optimizer.variables if "residual" in v.name]
    np.testing.assert_array_equal(to_numpy(residual), 0)


def test_l1_reaches_exact_zeros_in_small_steps():
    """One threshold, 1e-5, is far below the spacing of bfloat16 around 0.05."""
    inner = keras.optimizers.SGD(RATE)
    optimizer = kd.DecoupledWeightDecay(inner, penalty=kd.L1(0.01))
    model = one_layer("bfloat16", optimizer)
    kernel, step = model.layers[0].kernel, steps_of(model)
    start = to_numpy(kernel)
    for _ in range(200):
        step(ops.zeros(kernel.shape, "bfloat16"))
    small = np.abs(start) < 0.9 * 200 * 1e-5
    assert small.sum() > 50 and np.all(to_numpy(kernel)[small] == 0)
    large = np.abs(start) > 0.01
    moved = np.abs(start)[large] - np.abs(to_numpy(kernel))[large]
    # Half a unit in the last place of the largest weight
    np.testing.assert_allclose(moved.mean(), 200 * 1e-5, rtol=0.02)
