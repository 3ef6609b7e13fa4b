"""Files that earlier versions have written load, and go on as they would have then.

Oracle: what the version that wrote a file (`fixtures/make.py`) made of it.
"""

import csv
import json
import math
import shutil
from pathlib import Path

import fixture_models as fixed
import keras
import numpy as np
import pytest
from support import mostly_slow, to_numpy

import keras_decay as kd
from keras_decay.cli import main

VERSION = Path(__file__).parent / "fixtures" / "version_0_1_1"
HERE = VERSION / keras.backend.backend()

# They were saved under Keras 3.15, whose configs an older Keras refuses.
pytestmark = pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15),
    reason="an older Keras does not read files of Keras 3.15",
)
of_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's results were kept"
)


def stored(name):
    return json.loads((HERE / name).read_text())


@pytest.mark.parametrize("name", mostly_slow(fixed.MODELS, ["forms"]))
def test_models_go_on(name):
    keras.layers.Dense(1).name, keras.layers.Dense(1).name  # shift automatic names
    model = keras.saving.load_model(HERE / f"{name}.keras")
    found = fixed.weights(fixed.train(model, 1))
    # In bfloat16 a weight that lies between two numbers may be rounded to the other.
    exact = {"rtol": 2**-7 if name == "half" else 1e-5, "atol": 1e-6}
    with np.load(HERE / f"{name}.npz") as expected:
        assert found.keys() == set(expected.files)
        for key in expected.files:
            np.testing.assert_allclose(found[key], expected[key], **exact)


@pytest.fixture(scope="module")
def penalties():
    """Each penalty of a file, with what it gave then."""
    model = keras.saving.load_model(HERE / "penalised.keras")
    terms = model.layers[0].kernel_regularizer.penalties
    then = stored("penalties.json")
    assert [type(term).__name__ for term in terms] == list(then)
    return list(zip(terms, then.values(), strict=True))


def test_penalties_have_their_values(penalties):
    kernel = keras.ops.convert_to_tensor(fixed.KERNEL.astype("float32"))
    for penalty, then in penalties:
        value = to_numpy(penalty(kernel))
        np.testing.assert_allclose(value, then["value"], 1e-5, err_msg=str(penalty))


@pytest.mark.slow
def test_penalties_have_their_proximal_steps(penalties):
    kernel = keras.ops.convert_to_tensor(fixed.KERNEL.astype("float32"))
    for penalty, then in penalties:
        after = to_numpy(penalty.prox(kernel, 0.3))
        np.testing.assert_allclose(
            after, then["prox"], 1e-5, 1e-6, err_msg=str(penalty)
        )


def test_a_tracked_strength_is_in_a_file_of_weights():
    model = fixed.tracked()
    strength = model.layers[0].kernel_regularizer.l2
    strength.assign(0.0)
    model.load_weights(HERE / "tracked.weights.h5")
    assert float(to_numpy(strength)) == 0.75


SHARES = ("promised_shrink", "measured_shrink", "shrink_per_step", "half_life_steps")


@pytest.mark.parametrize("name", mostly_slow(fixed.MODELS, ["toward"]))
def test_files_are_audited(name):
    for row, then in zip(
        kd.audit(HERE / f"{name}.keras").to_dict()["rows"],
        stored("audits.json")[name],
        strict=True,
    ):
        for key, value in then.items():
            # These were shares of the weight, and are those of the distance since.
            if "Toward" in str(then["decay"]) and key in SHARES:
                continue
            if isinstance(value, float):
                value = pytest.approx(value, rel=1e-3, abs=1e-6)
            # A sum is told by its config, which says in which file its terms were.
            if "module" not in str(value):
                assert row[key] == value, (row["path"], key)


@pytest.mark.slow
@pytest.mark.needs("pandas")
def test_a_sweep_gives_the_same_table():
    swept = fixed.swept()
    for name, table in {
        "sweep.csv": swept.to_dataframe(),
        "sweep_epochs.csv": swept.to_dataframe(epochs=True),
    }.items():
        with (HERE / name).open() as file:
            then = list(csv.DictReader(file))
        assert [c for c in table.columns if c in then[0]] == list(then[0])
        for row, old in zip(table.to_dict("records"), then, strict=True):
            for key, value in old.items():
                assert row[key] == pytest.approx(float(value), rel=1e-4), key


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", ["all", "own"])
def test_curves_load(name):
    path = VERSION / "curves" / f"{name}.jsonl"
    rows = kd.LearningCurve.load(path).rows
    np.testing.assert_equal(rows, rows_of(path))  # for which NaN equals NaN


def test_a_curve_goes_on(tmp_path):
    path = Path(shutil.copy(VERSION / "curves" / "all.jsonl", tmp_path))
    then = rows_of(path)
    # As after a crash: the model is that of the second epoch's end.
    model = keras.saving.load_model(VERSION / "curves" / "all.keras")
    fixed.record(model, path, 4, initial_epoch=2)
    now = rows_of(path)
    assert now[:2] == then[:2]
    for row, old in zip(now[2:], then[2:], strict=True):
        assert row.keys() >= old.keys()
        for key in old.keys() - {"seconds"}:
            assert_close(row[key], old[key])


def assert_close(value, then):
    if isinstance(then, dict):
        # By layer or by path; Keras renames layers on loading.
        assert len(value) == len(then)
        for one, other in zip(value.values(), then.values(), strict=True):
            assert_close(one, other)
    elif isinstance(then, float) or (then and isinstance(then, list)):
        np.testing.assert_allclose(value, then, rtol=1e-4, atol=1e-6)
    else:
        assert value == then


def test_verdicts_are_what_they_were():
    folder = VERSION / "diabetes"
    arms = json.loads((folder / "results.json").read_text())["arms"]
    fits = [fit for arm in arms for fit in arm["fits"]]
    assert len(fits) == 2
    for fit in fits:
        diagnosis = kd.diagnose(folder / fit["curve"])
        assert diagnosis.verdict == fit["verdict"]
        assert diagnosis.best_epoch == fit["best_epoch"]


@of_tensorflow
@pytest.mark.slow
def test_a_folder_of_results_is_replaced_by_one_of_the_same_form(tmp_path):
    folder = Path(shutil.copytree(VERSION / "diabetes", tmp_path / "out"))
    then = json.loads((folder / "results.json").read_text())
    again = ["diabetes", "--arms", "none", "--epochs", "2", "--out", str(folder)]
    with pytest.raises(SystemExit, match="2"):
        main(again)
    assert main([*again, "--force"]) == 0
    # The other arm's curve was in the list of the old results.
    assert not (folder / "curve-adamw.jsonl").exists()
    assert_same_form(json.loads((folder / "results.json").read_text()), then)


def assert_same_form(value, then):
    if isinstance(then, dict):
        assert value.keys() >= then.keys()
        for key in then:
            assert_same_form(value[key], then[key])
    elif isinstance(then, list) and value and isinstance(then[0], dict):
        assert_same_form(value[0], then[0])
    elif isinstance(then, float) and not math.isnan(then):
        assert isinstance(value, float)


@of_tensorflow
@pytest.mark.slow
def test_an_experiment_gives_the_same_results(found):
    then = json.loads((VERSION / "experiments" / "equivalence.json").read_text())
    now = json.loads(json.dumps(found("equivalence").as_json()))
    assert_same_form(now, then)
    for name, numbers in then["numbers"].items():
        assert_close(now["numbers"][name], numbers)
