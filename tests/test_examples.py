"""The examples run, and what each says at its end is so."""

import json
import re
import runpy
import sys
import textwrap
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from examples import blocks, code

FOLDER = Path(__file__).parent.parent / "examples"
PAGE = FOLDER.parent / "docs" / "fine-tune.md"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="an example is written for one backend",
)


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a script here; returns its names, all that it printed, its last line."""

    def run(name, *arguments):
        path = str(FOLDER / f"{name}.py")
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        names = runpy.run_path(path, run_name="__main__")
        printed = capsys.readouterr().out
        return names, printed, printed.splitlines()[-1]

    yield run
    keras.config.set_dtype_policy("float32")


def test_every_script_is_a_page_that_is_listed():
    listed = re.findall(r"^\| \[(\w+)\.py\]", (FOLDER / "README.md").read_text(), re.M)
    assert sorted(listed) == SCRIPTS
    for name in SCRIPTS:
        text = (FOLDER / f"{name}.py").read_text()
        assert len(text.splitlines()) <= 110
        assert f"python examples/{name}.py" in text


@pytest.mark.slow
@pytest.mark.written
def test_backends(run):
    """Oracle: where a Lasso is optimal, its gradient is ±λ, and within λ at zero."""
    names, _, said = run("backends")
    x, y = load_diabetes(return_X_y=True)
    x, y, w = scale(x), scale(y), names["weights"].astype("float64")
    gradient = x.T @ (y - x @ w) / len(x)
    used = w != 0
    assert np.allclose(gradient[used], 0.1 * np.sign(w[used]), atol=1e-6)
    assert (np.abs(gradient[~used]) < 0.1).all()
    assert said.startswith(f"On {keras.backend.backend()}, {(w == 0).sum()} of 10 ")
    assert 3 <= (w == 0).sum() <= 7 and "10 of 10 are zero or not as" in said
    assert names["distance"] < 1e-6


@pytest.mark.slow
@pytest.mark.written
@on_tensorflow
def test_distribute(run_python):
    source = """
import json, runpy, sys
names = runpy.run_path(sys.argv[1])
print(json.dumps([len(names["copies"])] + [names[n] for n in sys.argv[2:]]))
"""
    script = FOLDER / "distribute.py"
    printed = run_python(source, script, "apart", "distance", "effect").stdout
    said, measured = printed.splitlines()[-2:]
    copies, apart, distance, effect = json.loads(measured)
    assert copies == 2 and apart == 0
    # Sums over the rows of a batch in another order, in float32.
    assert distance < 2e-6 and effect > 0.1
    assert f"within {distance:.0e}" in said and f"up to {effect:.2f}" in said


@pytest.mark.slow
@pytest.mark.written
@on_tensorflow
def test_mixed_precision(run):
    names, printed, said = run("mixed_precision")
    steps = 10 * -(-1797 // 64)
    right = (1 - 1e-3) ** steps
    policies = ["float32", "mixed_float16", "mixed_bfloat16", "bfloat16"]
    assert list(names["results"]) == policies
    for policy, (share, _) in names["results"].items():
        tolerance = 1e-5 if policy != "bfloat16" else 2**-8  # the rounding at the end
        assert share == pytest.approx(right, rel=tolerance), policy
    accuracies = re.findall(r"accuracy (\S+)%", printed)
    assert len(accuracies) == 5 and min(map(float, accuracies)) > 90
    assert f"where {right:.1%} is right" in said
    # What Keras loses is not ours to promise, but it is what the page is about.
    assert names["plain"][0] > 0.99


@pytest.mark.slow
@pytest.mark.written
@on_tensorflow
def test_fine_tuning(run):
    names, _, said = run("fine_tuning")
    (new, old, distance), (new_held, old_held, distance_held) = (
        names["plain"],
        names["held"],
    )
    assert names["known"] > 0.9
    # Nearer to the start; what was forgotten is known again in part, at a price. Of 13
    # rows of 300 that are 4 or 5, by the processor's rounding.
    assert distance_held < 0.8 * distance
    assert names["known"] - old_held < 0.75 * (names["known"] - old)
    assert new > 0.8 and new_held > new - 0.1
    assert f"knows {old:.0%}, and with L2SP {old_held:.0%}" in said


def test_the_page_on_fine_tuning_shows_parts_of_its_script():
    script = (FOLDER / "fine_tuning_in_phases.py").read_text()
    parts = code(PAGE.read_text())
    assert len(parts) == 5
    for part in parts:
        assert part in script or textwrap.indent(part, "    ") in script


@pytest.mark.slow
@pytest.mark.written
def test_fine_tuning_in_phases(run, run_python, tmp_path):
    """The outputs on the page are its own, but for digits that rounding decides."""
    _, printed, _ = run("fine_tuning_in_phases", tmp_path)
    right = [int(share) for share in re.findall(r"(\d+)% of the new digits", printed)]
    assert 40 < right[0] < right[1] - 5
    assert printed.count("a step  as promised") == 10
    # Only what the files hold is known in a new process.
    source = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0])"
    script = FOLDER / "fine_tuning_in_phases.py"
    resumed = run_python(source, script, tmp_path, "resume").stdout
    assert f"{right[1]}% of the new digits" in resumed
    assert re.search(r"^(\d+) of \1 variables are as without", resumed, re.M)
    lines = {line.rstrip() for line in (printed + resumed).splitlines()}
    for _, kind, body in blocks(PAGE.read_text()):
        shown = body.splitlines() if kind == "text" else []
        assert {line for line in shown if "% of" not in line} <= lines


@pytest.mark.slow
@pytest.mark.written
@on_tensorflow
@pytest.mark.needs("keras_tuner")
def test_keras_tuner(run):
    names, _, said = run("keras_tuner_search")
    value, trials = names["value"], names["trials"]
    # The choice is the best by the loss on the data, and this is what the model has.
    losses = [value(trial, "val_data_loss") for trial in trials]
    assert len(losses) == names["TRIALS"] and len(set(losses)) == len(losses)
    best = names["best"]
    assert value(best, "val_data_loss") == min(losses)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # KerasTuner does not build the optimizer
        model = names["tuner"].get_best_models()[0]
    guesses = model.predict(names["x_val"], verbose=0).ravel()
    error = np.mean((guesses - names["y_val"]) ** 2)
    assert error == pytest.approx(min(losses), rel=1e-5)
    # And not the best by the loss with the penalty, or the page would be idle.
    assert names["by_keras"] is not best
    assert f"{names['text'](best)} has the lowest" in said
    assert f"{min(losses):.3f}; by Keras' val_loss" in said


@pytest.mark.slow
@pytest.mark.written
@on_tensorflow
@pytest.mark.needs("optuna")
def test_optuna(run):
    names, _, said = run("optuna_search")
    study, compared = names["study"], names["compared"]
    assert len(study.trials) == names["ROUNDS"] * names["TRIALS"]
    assert study.best_value == min(trial.value for trial in study.trials)
    assert names["result"].engine == compared.engine == "vectorized"
    assert compared.params[1] == study.best_params
    # By every seed, on rows that had no say.
    without, chosen = compared.final["val_data_loss"]
    assert (chosen < 0.9 * without).all()
    assert f"{chosen.mean():.3f}, and {without.mean():.3f} without" in said


@pytest.mark.slow
@on_tensorflow
def test_tensorboard(run, tmp_path):
    names, printed, said = run("tensorboard_logs", tmp_path)
    recorded = names["curve"].rows
    assert len(recorded) == len(names["rows"]) == names["EPOCHS"]
    for key in ("data_loss", "penalty", "loss"):
        expected = [row[key] for row in recorded]
        assert names["training"][key] == pytest.approx(expected, rel=1e-6)
    for row, read in zip(recorded, names["rows"], strict=True):
        assert read["val_data_loss"] == pytest.approx(row["val_data_loss"], rel=1e-6)
        assert row["loss"] == pytest.approx(row["data_loss"] + row["penalty"], rel=1e-5)
    assert str(names["curve"].diagnose()) in printed.splitlines()
    assert "with the same verdict" in said and "overfitting" in said
    assert any((tmp_path / "validation").iterdir())
