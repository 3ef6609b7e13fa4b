"""Saving, loading in a new process, and going on exactly where training stopped."""

import importlib.util
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from saved_models import KINDS, compiled, nested_functional, train
from support import decisions, slow

import keras_decay as kd

TESTS = Path(__file__).parent
HELPERS = [str(TESTS), str(TESTS / "models")]

GO_ON = """
import sys, json
folder, kinds = sys.argv[1], sys.argv[2:]
sys.path[:0] = {helpers!r}
import keras, numpy as np, saved_models
from support import decisions
for kind in kinds:
    names = [keras.layers.Dense(1).name for _ in range(7)]  # shift automatic names
    model = keras.saving.load_model(f"{{folder}}/{{kind}}.keras")
    saved_models.train(model, 3)
    np.savez(f"{{folder}}/{{kind}}.npz", *model.get_weights())
    paths = [variable.path for variable in model.trainable_variables]
    matched = decisions(model.optimizer)
    with open(f"{{folder}}/{{kind}}.json", "w") as file:
        json.dump({{"paths": paths, "matched": matched}}, file)
"""


@pytest.mark.slow
def test_resume_in_a_new_process_is_exact(tmp_path, run_python):
    halves = {}
    for kind in KINDS:
        halves[kind] = train(compiled(kind), 3)
        halves[kind].save(tmp_path / f"{kind}.keras")
    run_python(GO_ON.format(helpers=HELPERS), tmp_path, *KINDS)
    for kind, half in halves.items():
        weights = train(compiled(kind), 6).get_weights()
        resumed = np.load(tmp_path / f"{kind}.npz")
        assert len(resumed.files) == len(weights)
        for name, expected in zip(resumed.files, weights, strict=True):
            np.testing.assert_array_equal(resumed[name], expected, err_msg=kind)
        found = json.loads((tmp_path / f"{kind}.json").read_text())
        matched = found["matched"]
        assert [entry["rule"] for entry in matched] == ["default", 1, 0, 1]
        # The paths after renaming, by which the rules would decide otherwise.
        assert found["paths"] == [entry["path"] for entry in matched]
        if kind == "subclassed":  # else nothing here would be about renamed variables
            before = [entry["path"] for entry in decisions(half.optimizer)]
            assert found["paths"] != before


OLD = TESTS / "fixtures" / "version_0_1"


# The fixtures were saved under Keras 3.15, whose configs an older Keras refuses.
reads_fixtures = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15),
    reason="an older Keras does not read files of Keras 3.15",
)


@reads_fixtures
@pytest.mark.parametrize(
    "name", ["tensorflow", *map(slow, ["jax", "torch"]), "subclassed"]
)
def test_files_of_version_0_1_resume_exactly(name):
    # Oracle: what version 0.1 made of each model in three more epochs.
    keras.layers.Dense(1).name, keras.layers.Dense(1).name  # shift automatic names
    model = keras.saving.load_model(OLD / f"{name}.keras")
    assert [e["rule"] for e in decisions(model.optimizer)] == ["default", 1, 0, 1]
    train(model, 3)
    expected = np.load(OLD / f"{name}.npz")
    for key, weight in zip(expected.files, model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected[key], rtol=1e-5, atol=1e-7)


@reads_fixtures
@pytest.mark.parametrize("name", ["trained.weights.h5", "legacy.h5"])
def test_weights_and_old_formats_of_version_0_1_resume_exactly(name):
    if name == "legacy.h5":
        model = keras.saving.load_model(OLD / name)
    else:
        model = compiled("nested_functional")
        model.optimizer.use_ema = False
        model.optimizer.build(model.trainable_variables)
        model.load_weights(OLD / name)
    train(model, 3)
    expected = np.load(OLD / "tensorflow.npz")
    for key, weight in zip(expected.files, model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected[key], rtol=1e-5, atol=1e-7)


@reads_fixtures
@pytest.mark.parametrize("name", ["frozen", "partly_frozen"])
def test_models_that_version_0_1_saved_with_frozen_layers_load_and_train(name):
    if name == "partly_frozen":
        with pytest.warns(UserWarning, match=r"begins afresh.*Gone: .*kernel") as seen:
            model = keras.saving.load_model(OLD / f"{name}.keras")
        assert len(seen) == 1
    else:
        model = keras.saving.load_model(OLD / f"{name}.keras")
        model.trainable = True
        model.compile(model.optimizer, "mse")
        with pytest.warns(UserWarning, match="begins afresh"):
            model.optimizer.build(model.trainable_variables)
    before = model.get_weights()
    train(model, 1)
    after = model.get_weights()
    assert not all(np.array_equal(a, b) for a, b in zip(after, before, strict=True))


def test_the_config_is_for_any_model():
    model = train(compiled("nested_functional"), 1)
    config = model.optimizer.get_config()
    assert "matched" not in config
    optimizer = kd.DecoupledWeightDecay.from_config(config)
    layers = [keras.layers.Dense(2, name="body"), keras.layers.Dense(1, name="head")]
    other = keras.Sequential([keras.Input((3,)), *layers])
    other.compile(optimizer, "mse")
    other.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    assert [e["rule"] for e in decisions(optimizer)] == ["default", 1, 0, 1]


@pytest.mark.slow
def test_saving_before_training_loses_nothing(tmp_path):
    model = compiled("nested_functional")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    train(loaded, 2)
    train(model, 2)
    for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_the_state_is_saved_once(tmp_path):
    sizes = []
    for optimizer in (keras.optimizers.Adam(), kd.AdamW()):
        model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(300)])
        model.compile(optimizer, "mse")
        model.fit(np.ones((2, 300)), np.ones((2, 300)), verbose=0)
        model.save(tmp_path / "model.keras")
        sizes.append((tmp_path / "model.keras").stat().st_size)
    assert sizes[1] < 1.05 * sizes[0]


def test_a_strength_changed_while_training_is_saved(tmp_path):
    model = train(compiled("nested_functional"), 1)
    model.optimizer.weight_decay = 0.7
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(loaded.optimizer.weight_decay), 0.7, rtol=1e-6
    )
    assert loaded.optimizer.get_config()["weight_decay"] == 0.7


@pytest.mark.slow
def test_a_variable_in_a_penalty_is_saved_by_value(tmp_path):
    strength = keras.Variable(0.5)
    model = compiled("nested_functional")
    model.compile(kd.SGDW(0.1, 0.0, penalty=kd.L1(strength)), "mse")
    train(model, 2)
    strength.assign(0.25)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config()["penalty"]["config"] == {"l1": 0.25}
    train(loaded, 2)
    train(model, 2)
    for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_strengths_come_back_to_where_they_belong(tmp_path):
    shared = keras.Variable(0.5)
    optimizer = kd.DecoupledWeightDecay(
        keras.optimizers.SGD(0.1),
        shared,
        rules=[("body/kernel", 0.001), ("head/kernel", shared), ("bias", 0.25)],
        jit_compile=False,
    )
    model = nested_functional()
    model.compile(optimizer, "mse")
    train(model, 2)
    shared.assign(0.75)
    optimizer._plan.rules[2].decay.strength.set(0.125)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    config = loaded.optimizer.get_config()
    assert config["weight_decay"] == 0.75
    assert [strength for _, strength, _ in config["rules"]] == [0.001, 0.75, 0.125]
    train(loaded, 2)
    train(model, 2)
    for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_backup_and_restore_brings_strengths_back(tmp_path):
    def model_and_strength():
        strength = keras.Variable(0.1)
        model = nested_functional()
        model.compile(kd.SGDW(0.01, 0.2, penalty=kd.L1(strength)), "mse")
        return model, strength

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("stop")

    def go(model, epochs, *callbacks):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        x, y = np.ones((8, 4)), np.ones((8, 1))
        model.fit(x, y, epochs=epochs, callbacks=[backup, *callbacks], verbose=0)

    model, strength = model_and_strength()
    strength.assign(0.7)
    model.optimizer.weight_decay = 0.9
    with pytest.raises(RuntimeError, match="stop"):
        go(model, 4, Stop())
    model, strength = model_and_strength()
    go(model, 3)
    assert float(keras.ops.convert_to_numpy(strength)) == pytest.approx(0.7)
    assert model.optimizer.get_config()["weight_decay"] == pytest.approx(0.9)


def test_from_config_leaves_its_argument_as_it_was():
    optimizer = compiled("nested_functional").optimizer
    config = optimizer.get_config()
    copy = json.loads(json.dumps(config))
    kd.DecoupledWeightDecay.from_config(config)
    assert json.loads(json.dumps(config)) == copy


def saved_with(penalty, path, optimizer="sgd", constraint=None):
    layer = keras.layers.Dense(
        1, kernel_regularizer=penalty, kernel_constraint=constraint
    )
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(optimizer, "mse")
    model.save(path)


ONLY_KERAS = """
import sys, keras
for path in sys.argv[1:]:
    try:
        model = keras.saving.load_model(path)
    except Exception as error:
        print("fails", "keras_decay" in str(error))
        continue
    penalty = model.layers[0].kernel_regularizer
    print(type(penalty).__module__.split(".")[0], type(penalty).__name__, end=" ")
    print(penalty.get_config())
assert "keras_decay" not in sys.modules
"""


@pytest.mark.slow
def test_without_the_package_l1_and_l2_are_keras_own_and_all_else_fails_loudly(
    tmp_path, run_python
):
    equal = {"L1": kd.L1(0.1), "L2": kd.L2(0.1)}
    cases = {
        **{name: (penalty, "sgd") for name, penalty in equal.items()},
        "ElasticNet": (kd.ElasticNet(0.1, 0.1), "sgd"),
        "Sum": (kd.L1(0.1) + kd.L2(0.1), "sgd"),
        "Scaled": (0.5 * kd.L2(0.1), "sgd"),
        "DecoupledWeightDecay": (None, kd.AdamW()),
    }
    paths = [tmp_path / f"{name}.keras" for name in cases]
    for (penalty, optimizer), path in zip(cases.values(), paths, strict=True):
        saved_with(penalty, path, optimizer)
    printed = run_python(ONLY_KERAS, *paths).stdout.splitlines()[-len(paths) :]
    for name, line in zip(cases, printed, strict=True):
        if name not in equal:
            assert line == "fails True", name
            continue
        module, kind, config = line.split(" ", 2)
        assert (module, kind) == ("keras", name)
        # Keras keeps the strength of L1 in float32 and that of L2 as it is written.
        assert eval(config) == pytest.approx(equal[name].get_config(), rel=1e-7)


@pytest.mark.slow
def test_only_import_keras_decay_is_needed_to_load(tmp_path, run_python):
    penalty, ball = 0.5 * kd.ElasticNet(0.1, 0.2), kd.NormBall(2.0, "l1")
    saved_with(penalty, tmp_path / "m.keras", kd.AdamW(), ball)
    source = """
import sys
import keras_decay
import keras
model = keras.saving.load_model(sys.argv[1])
print(model.layers[0].kernel_regularizer, type(model.optimizer).__name__)
print(model.layers[0].kernel_constraint)
"""
    printed = run_python(source, tmp_path / "m.keras").stdout.splitlines()
    assert printed[-2] == "0.5 * ElasticNet(l1=0.1, l2=0.2) DecoupledWeightDecay"
    assert printed[-1] == "NormBall(radius=2.0, norm='l1', axis=None)"


@pytest.mark.slow
def test_files_of_one_backend_load_on_another(tmp_path, run_python):
    here = keras.backend.backend()
    others = [
        name
        for name in ("tensorflow", "jax", "torch")
        if name != here and importlib.util.find_spec(name)
    ]
    if not others:
        pytest.skip("only one backend is installed")
    kind = "nested_functional"
    train(compiled(kind), 1).save(tmp_path / f"{kind}.keras")
    written = tmp_path / f"{kind}.json"
    for other in others:
        environment = {"KERAS_BACKEND": other}
        run_python(
            GO_ON.format(helpers=HELPERS), tmp_path, kind, environment=environment
        )
        assert json.loads(written.read_text())["matched"]
        written.unlink()
