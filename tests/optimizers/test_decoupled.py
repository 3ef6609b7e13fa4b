"""What DecoupledWeightDecay does in one step and in `fit`.

Oracle of the step: the bare optimizer makes the displacement u from the same weights
and state, and the equations of the class' docstring are written out in NumPy.
"""

import keras
import numpy as np
import pytest
from keras import ops
from support import (
    apply_as_fit_does,
    decisions,
    make_variables,
    recorded_gradients,
    replay,
    slow,
    to_numpy,
)

import keras_decay as kd


def displacements(make, steps, weights_at):
    """u of the bare optimizer at each step, from the wrapper's weights."""
    start, sequence = recorded_gradients(steps)
    bare = make()
    variables = make_variables(start)
    bare.build(variables)
    for index, gradients in enumerate(sequence):
        before = weights_at[index]
        for variable, value in zip(variables, before.values(), strict=True):
            variable.assign(value)
        bare.apply([ops.convert_to_tensor(g) for g in gradients.values()], variables)
        yield {
            name: before[name] - to_numpy(v)
            for name, v in zip(before, variables, strict=True)
        }


def trajectory(make_optimizer, steps):
    """The wrapper's weights before and after each of the recorded steps."""
    start, sequence = recorded_gradients(steps)
    optimizer, variables = make_optimizer(), make_variables(start)
    optimizer.build(variables)
    weights = [start]
    for gradients in sequence:
        optimizer.apply(
            [ops.convert_to_tensor(g) for g in gradients.values()], variables
        )
        weights.append({n: to_numpy(v) for n, v in zip(start, variables, strict=True)})
    return weights


SCHEDULE = keras.optimizers.schedules.CosineDecay(
    0.0, 20, warmup_target=0.1, warmup_steps=5
)


@pytest.mark.parametrize(
    "coupling, c",
    [
        ("learning_rate", lambda rate: rate),
        ("schedule", lambda rate: rate / 0.1),
        ("independent", lambda rate: 1.0),
        ("corrected", lambda rate: rate**2 / 0.1),
    ],
)
@pytest.mark.parametrize("cautious", [slow(False), True])
@pytest.mark.parametrize("penalty", [slow(None), kd.ElasticNet(0.3, 0.2)])
def test_one_step_is_the_documented_equation(coupling, c, cautious, penalty):
    def make():
        return keras.optimizers.SGD(SCHEDULE, momentum=0.9)

    def wrapped():
        return kd.DecoupledWeightDecay(
            make(),
            0.5,
            penalty=penalty,
            coupling=coupling,
            cautious=cautious,
            base_learning_rate=0.1,
        )

    weights = trajectory(wrapped, 12)
    for step, u in enumerate(displacements(make, 12, weights)):
        rate = float(to_numpy(SCHEDULE(step)))
        for name, w in weights[step].items():
            expected = w - u[name]
            if name.endswith("kernel"):
                decay = c(rate) * 0.5 * w
                if cautious:
                    decay = np.where(u[name] * w >= 0, decay, 0)
                expected = expected - decay
                if penalty is not None:
                    soft = np.maximum(np.abs(expected) - c(rate) * 0.3, 0)
                    expected = np.sign(expected) * soft / (1 + 2 * c(rate) * 0.2)
            np.testing.assert_allclose(
                weights[step + 1][name], expected, rtol=1e-5, atol=1e-6, err_msg=name
            )


def test_zero_gradients_shrink_by_the_exact_product():
    start, _ = recorded_gradients(0)
    zeros = [{name: np.zeros_like(w) for name, w in start.items()}] * 100
    optimizer = kd.SGDW(0.1, weight_decay=0.2)
    after = replay(optimizer, start, zeros)
    for name, w in start.items():
        factor = (1 - 0.1 * 0.2) ** 100 if name.endswith("kernel") else 1.0
        # 100 roundings of float32
        np.testing.assert_allclose(after[name], factor * w, rtol=1e-5)


def test_l1_penalty_sets_weights_to_exactly_zero():
    start, sequence = recorded_gradients(50)
    small = [{n: 0.01 * g for n, g in s.items()} for s in sequence]
    after = replay(
        kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), penalty=kd.L1(1.0)),
        start,
        small,
    )
    assert np.mean(after["dense/kernel"] == 0) > 0.9
    assert np.all(after["dense/bias"] != 0)


def decayed_paths(model):
    optimizer = kd.AdamW(weight_decay=0.1)
    optimizer.build(model.trainable_variables)
    return {e["path"]: e["rule"] is not None for e in decisions(optimizer)}


@pytest.mark.parametrize(
    "layer, shape, decayed",
    [
        (lambda: keras.layers.GRU(3, reset_after=True), (5, 4), 2),
        (lambda: keras.layers.LayerNormalization(axis=[1, 2]), (5, 4), 0),
        (lambda: keras.layers.PReLU(), (5, 4), 0),
        (lambda: keras.layers.BatchNormalization(), (5, 4), 0),
        (lambda: keras.layers.Conv2D(3, 2), (5, 4, 2), 1),
        (lambda: keras.layers.Embedding(7, 3), (5,), 1),
        (lambda: keras.layers.Bidirectional(keras.layers.LSTM(3)), (5, 4), 4),
    ],
)
def test_default_selection_decays_kernels_only(layer, shape, decayed):
    model = keras.Sequential([keras.Input(shape), layer()])
    chosen = decayed_paths(model)
    assert sum(chosen.values()) == decayed
    for path, is_decayed in chosen.items():
        name = path.rsplit("/", 1)[-1]
        assert is_decayed == (name not in {"bias", "gamma", "beta", "alpha"})


def test_default_selection_on_attention():
    x = keras.Input((5, 4))
    model = keras.Model(x, keras.layers.MultiHeadAttention(2, 3)(x, x))
    chosen = decayed_paths(model)
    biases = {path for path in chosen if path.endswith("bias")}
    assert any(len(v.shape) == 2 for v in model.weights if v.path in biases)
    assert {path for path, is_decayed in chosen.items() if not is_decayed} == biases


def test_rules_first_match_wins_and_others_get_the_default():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, name="body"),
            keras.layers.Dense(4, name="neck"),
            keras.layers.Dense(2, name="head"),
        ],
        name="net",
    )
    rules = [("neck", None), ("head/kernel", 0.5), ("head", kd.L1(0.1), "independent")]
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1), 0.1, rules=rules, jit_compile=False
    )
    before = {v.path: to_numpy(v) for v in model.trainable_variables}
    zeros = [ops.zeros(v.shape) for v in model.trainable_variables]
    model.layers[2].bias.assign([0.3, -0.05])
    before["net/head/bias"] = np.array([0.3, -0.05], "float32")
    optimizer.apply(zeros, model.trainable_variables)
    expected = {
        "net/body/kernel": lambda w: 0.99 * w,
        "net/head/kernel": lambda w: 0.95 * w,
        "net/head/bias": lambda w: np.sign(w) * np.maximum(np.abs(w) - 0.1, 0),
    }
    for variable in model.trainable_variables:
        rule = expected.get(variable.path, lambda w: w)
        np.testing.assert_allclose(
            to_numpy(variable), rule(before[variable.path]), rtol=1e-6, atol=1e-8
        )


def test_a_rule_that_decides_nothing_is_an_error_that_lists_the_paths():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="only")])
    for rules, problem in [
        ([("nothing", 0.1)], "matches no variable"),
        ([("only", 0.1), ("only/kernel", 0.2)], "earlier rules decide already"),
    ]:
        optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(), rules=rules)
        model.compile(optimizer, "mse")
        with pytest.raises(ValueError, match=problem) as error:
            model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
        assert "only/kernel" in str(error.value) and "only/bias" in str(error.value)


def small_model(optimizer, **compile_arguments):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    model.compile(optimizer, "mse", **compile_arguments)
    return model


def data(n=32):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)).astype("float32"), rng.normal(size=(n, 1))


def test_decay_acts_on_real_steps_only_when_gradients_accumulate():
    start, sequence = recorded_gradients(12)
    plain = [
        {name: (a[name] + b[name]) / 2 for name in a}
        for a, b in zip(sequence[::2], sequence[1::2], strict=True)
    ]

    def make(steps):
        inner = keras.optimizers.Adam(0.01, gradient_accumulation_steps=steps)
        return kd.DecoupledWeightDecay(inner, 2.0, use_ema=True)

    accumulated = replay(make(2), start, sequence)
    every = replay(make(None), start, plain)
    for name in every:
        np.testing.assert_allclose(accumulated[name], every[name], atol=1e-6)


def test_lambda_set_during_fit_acts_at_once_without_a_second_trace():
    class Change(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.weight_decay = 1.0
            norms.append(float(to_numpy(ops.norm(self.model.layers[0].kernel))))
            counts.append(len(traces))

    norms, traces, counts = [], [], []

    class Counting(kd.L2):
        def prox(self, w, step):
            traces.append(1)
            return w

    # Learning rate 1 and zero gradients: the norm shrinks by 1 − λ exactly.
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(1.0), 0.0, penalty=Counting(0.0)
    )
    model = small_model(optimizer)
    x, y = data()
    y = model.predict(x, verbose=0)  # zero loss, zero gradient
    model.fit(x, y, batch_size=32, epochs=2, verbose=0, callbacks=[Change()])
    assert norms[0] > 0.5 and norms[1] < 1e-5
    if keras.backend.backend() != "torch":
        assert counts[0] == counts[1] > 0
    assert optimizer.get_config()["weight_decay"] == 1.0


def test_lambda_set_within_an_epoch_acts_on_the_next_step():
    class Change(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if keras.backend.backend() == "jax":
                self.model.jax_state_sync()
            norms.append(float(to_numpy(ops.norm(self.model.layers[0].kernel))))
            self.model.optimizer.weight_decay = [0.5, 0.0, 0.25, 0.0][batch]

    norms = []
    model = small_model(kd.SGDW(1.0, 0.0, momentum=0.0))
    x, y = data()
    # Without input the kernel has no gradient.
    model.fit(0 * x, y, batch_size=8, verbose=0, callbacks=[Change()])
    shrink = np.divide(norms[1:], norms[:-1])
    np.testing.assert_allclose(shrink, [0.5, 1.0, 0.75], rtol=1e-6)


def test_variable_and_schedule_strengths():
    start, _ = recorded_gradients(10)
    zeros = [{name: np.zeros_like(w) for name, w in start.items()}] * 10
    strength = keras.Variable(0.3)
    optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), strength)
    assert any(v is strength for v in optimizer.variables)
    after = replay(optimizer, start, zeros)
    np.testing.assert_allclose(
        after["dense/kernel"], start["dense/kernel"] * 0.97**10, rtol=1e-5
    )
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([4], [0.0, 1.0])
    for given in (schedule, lambda step: ops.where(step > 4, 1.0, 0.0)):
        optimizer = kd.DecoupledWeightDecay(keras.optimizers.SGD(0.1), given)
        after = replay(optimizer, start, zeros)
        np.testing.assert_allclose(
            after["dense/kernel"], start["dense/kernel"] * 0.9**5, rtol=1e-5
        )
    with pytest.raises(TypeError, match="schedule or callable"):
        optimizer.weight_decay = 0.1


def test_constraints_hold_after_the_step():
    norm = keras.constraints.UnitNorm(axis=0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, kernel_constraint=norm)]
    )
    model.compile(kd.AdamW(0.1, weight_decay=5.0), "mse")
    x, _ = data()
    model.fit(x, np.ones((32, 4)), epochs=2, verbose=0)
    kernel = to_numpy(model.layers[0].kernel)
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1, atol=1e-5)


def test_the_moving_average_is_of_the_decayed_weight():
    start, sequence = recorded_gradients(5)
    weights = trajectory(lambda: kd.AdamW(0.01, 2.0), 5)
    optimizer, variables = kd.AdamW(0.01, 2.0, use_ema=True), make_variables(start)
    optimizer.build(variables)
    for gradients in sequence:
        optimizer.apply([ops.convert_to_tensor(g) for g in gradients.values()])
    optimizer.finalize_variable_values(variables)
    for variable, name in zip(variables, start, strict=True):
        average = weights[1][name]
        for after in weights[2:]:
            average = 0.99 * average + 0.01 * after[name]
        np.testing.assert_allclose(to_numpy(variable), average, rtol=1e-5, atol=1e-6)


def test_variables_without_gradient_are_left_alone():
    start, sequence = recorded_gradients(1)
    optimizer, variables = kd.SGDW(0.1, 0.5), make_variables(start)
    optimizer.build(variables)
    _, *others = [ops.convert_to_tensor(g) for g in sequence[0].values()]
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([None, *others], variables)
    np.testing.assert_array_equal(to_numpy(variables[0]), start["dense/kernel"])


def test_loss_scaling_outside_skips_decay_with_a_skipped_step():
    start, sequence = recorded_gradients(2)
    inner = kd.SGDW(0.1, 0.5)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0)
    variables = make_variables(start)
    optimizer.build(variables)
    bad = [ops.full(v.shape, float("inf")) for v in variables]
    apply_as_fit_does(optimizer, bad, variables)
    for variable, w in zip(variables, start.values(), strict=True):
        np.testing.assert_array_equal(to_numpy(variable), w)
    good = [ops.convert_to_tensor(4 * g) for g in sequence[0].values()]
    apply_as_fit_does(optimizer, good, variables)
    expected = replay(kd.SGDW(0.1, 0.5), start, sequence[:1])
    for variable, name in zip(variables, start, strict=True):
        np.testing.assert_allclose(to_numpy(variable), expected[name], rtol=1e-5)


def test_keras_callbacks_change_the_learning_rate():
    model = small_model(kd.AdamW(0.01, 0.1))
    x, y = data()
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[halve]).history
    np.testing.assert_allclose(history["learning_rate"], [0.005, 0.0025, 0.00125])
    np.testing.assert_allclose(float(to_numpy(model.optimizer.learning_rate)), 0.00125)
    assert int(to_numpy(model.optimizer.iterations)) == 3


def test_the_wrapped_optimizer_keeps_its_settings():
    inner = keras.optimizers.Adam(0.01, clipnorm=1.0)
    config = inner.get_config()
    model = small_model(kd.DecoupledWeightDecay(inner, 0.1))
    model.fit(*data(), verbose=0)
    assert inner.get_config() == config and inner.built


@pytest.mark.slow
def test_training_on_a_built_inner_optimizer_goes_on():
    inner = keras.optimizers.Adam(0.01)
    model = small_model(inner)
    model.fit(*data(), verbose=0)
    model.compile(kd.DecoupledWeightDecay(inner, 0.1), "mse")
    model.fit(*data(), verbose=0)
    assert int(to_numpy(inner.iterations)) == 2


def test_the_moving_average_starts_with_itself_and_not_with_the_inner_optimizer():
    inner = keras.optimizers.SGD(0.0)
    model = small_model(inner)
    model.fit(*data(), verbose=0)
    kernel = to_numpy(model.layers[0].kernel)
    model.compile(kd.DecoupledWeightDecay(inner, 0.0, use_ema=True), "mse")
    model.fit(*data(), epochs=2, verbose=0)
    np.testing.assert_allclose(to_numpy(model.layers[0].kernel), kernel, rtol=1e-6)


def test_fit_can_be_called_again_with_a_moving_average():
    """Keras' own optimizers cannot on JAX: one array is weight and average then."""
    model = small_model(kd.SGDW(0.1, 0.1, use_ema=True, ema_momentum=0.5))
    model.fit(*data(), verbose=0)
    model.fit(*data(), verbose=0)
    assert int(to_numpy(model.optimizer.iterations)) == 2


def test_a_variable_strength_of_a_penalty_while_gradients_accumulate():
    start, sequence = recorded_gradients(4)
    strength = keras.Variable(0.5)
    inner = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    optimizer = kd.DecoupledWeightDecay(inner, penalty=kd.L2(strength))
    after = replay(optimizer, start, sequence)
    plain = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), penalty=kd.L2(0.5)
    )
    expected = replay(plain, start, sequence)
    for name in expected:
        np.testing.assert_allclose(after[name], expected[name], rtol=1e-6)


def test_unknown_variables_and_wrong_weights_are_refused():
    start, sequence = recorded_gradients(1)
    optimizer, variables = kd.SGDW(0.1, 0.5), make_variables(start)
    optimizer.build(variables)
    grads = [ops.convert_to_tensor(g) for g in sequence[0].values()]
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply(grads, make_variables(start))
    with pytest.raises(ValueError, match="`weights` must have one array"):
        optimizer.set_weights([np.ones(1)])
    with pytest.raises(ValueError, match="one gradient for each variable"):
        optimizer.apply(grads[:1], variables)
    with pytest.raises(ValueError, match="unless the optimizer is built"):
        kd.SGDW().apply(grads)


def test_exclusion_by_keras_method_is_refused():
    with pytest.raises(ValueError, match="rules"):
        kd.AdamW().exclude_from_weight_decay(var_names=["bias"])
