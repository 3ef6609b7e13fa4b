"""The diabetes experiment: its data, its arms, its numbers and its files."""

import itertools
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import numpy_engine
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV
from support import once

import keras_decay as kd
from keras_decay.experiments import _data, _figure, _tuning, diabetes
from keras_decay.experiments._arms import ARMS
from keras_decay.search import _cv

PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def short():
    """Two arms, two seeds, six epochs, and the progress that was reported."""
    reports = []
    result = diabetes.run(
        ["none", "article"], seeds=2, seed=3, epochs=6, progress=reports.append
    )
    return result, reports


@pytest.fixture(scope="module")
def three_seeds():
    """The experiment proper: no penalty against L2, three seeds, 100 epochs."""
    return diabetes.run(["none", "l2"], seeds=3)


def test_split_is_a_partition_of_the_rows_as_they_are():
    x, y = load_diabetes(return_X_y=True)
    split = _data.load(0)
    parts = [getattr(split, name) for name in PARTS]
    assert [len(part.y) for part in parts] == [337, 60, 45]
    rows = np.concatenate([np.c_[p.x, p.y * split.scale + split.mean] for p in parts])
    order, expected = np.lexsort(rows.T), np.lexsort(np.c_[x, y].T)
    np.testing.assert_allclose(rows[order], np.c_[x, y][expected], rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_targets_are_standardised_on_the_training_rows_alone(seed):
    split = _data.load(seed)
    assert abs(split.train.y.mean()) < 1e-12
    assert abs(split.train.y.std() - 1) < 1e-12
    raw = split.train.y * split.scale + split.mean
    assert math.isclose(raw.mean(), split.mean, rel_tol=1e-12)
    for part in (split.validation, split.test):
        assert abs(part.y.mean()) > 1e-3
        assert abs(part.y.std() - 1) > 1e-3


def test_other_rows_have_no_say_in_the_scale(monkeypatch):
    expected = _data.load(0)
    x, y = load_diabetes(return_X_y=True)
    raw = expected.train.y * expected.scale + expected.mean
    elsewhere = ~np.isin(np.round(y), np.round(raw))
    assert elsewhere.any()
    y = np.where(elsewhere, 1e6, y)
    monkeypatch.setattr("sklearn.datasets.load_diabetes", lambda return_X_y: (x, y))
    split = _data.load(0)
    assert (split.mean, split.scale) == (expected.mean, expected.scale)
    np.testing.assert_array_equal(split.train.y, expected.train.y)


def test_ridge_is_scikit_learns():
    split = _data.load(7)
    ridge, mean = _data.baselines(split, 7)
    oracle = RidgeCV(alphas=np.logspace(-6, 3, 37)).fit(split.train.x, split.train.y)
    assert ridge.alpha == oracle.alpha_
    for name in PARTS:
        part = getattr(split, name)
        error = np.mean((oracle.predict(part.x) - part.y) ** 2)
        assert math.isclose(getattr(ridge, f"{name}_loss"), error, rel_tol=1e-12)
        variance = np.mean(part.y**2)
        assert math.isclose(getattr(mean, f"{name}_loss"), variance, rel_tol=1e-12)


def test_arms_start_from_the_same_weights():
    weights = {}
    for name, arm in ARMS.items():
        keras.utils.set_random_seed(4)
        weights[name] = [w for w in arm.build(10).get_weights() if w.ndim == 2]
    assert len(weights["none"]) == 7
    for name in ARMS:
        for mine, other in zip(weights[name], weights["none"], strict=True):
            np.testing.assert_array_equal(mine, other)


def test_arms_are_what_they_are_called():
    def regularizers(name):
        layers = ARMS[name].build(10).layers
        return {getattr(layer, "kernel_regularizer", None) for layer in layers}

    assert regularizers("none") == {None}
    for name, strength in (("l2-article", 1e-5), ("l2", 1e-2)):
        dense = [layer.kernel_regularizer for layer in ARMS[name].build(10).layers]
        assert all(type(r) is kd.L2 and r.l2 == strength for r in dense)
    assert isinstance(ARMS["adamw"].build(10).optimizer, kd.DecoupledWeightDecay)
    for name in ("article", "l2-dropout"):
        kinds = [type(layer) for layer in ARMS[name].build(10).layers]
        assert kinds.count(keras.layers.Dropout) == 6
    assert {r.l2 for r in regularizers("l2-dropout") - {None}} == {1e-2}
    assert all(type(r) is kd.L1 and r.l1 == 1e-3 for r in regularizers("l1"))
    assert regularizers("early-stop") == {None}
    assert "dropout" in ARMS["article"].remark


@pytest.mark.slow
def test_an_arm_does_not_depend_on_its_company(short):
    alone = diabetes.run(["article"], seeds=1, seed=4, epochs=6).fits[0]
    (among,) = [f for f in short[0].fits if (f.arm, f.seed) == ("article", 4)]
    # The order in which threads add up is not fixed; hence not bit by bit.
    for name in ("train_loss", "validation_loss", "test_loss"):
        assert math.isclose(getattr(alone, name), getattr(among, name), rel_tol=1e-3)


@pytest.mark.slow
def test_early_stopping_keeps_the_weights_of_the_best_epoch(monkeypatch, tmp_path):
    monkeypatch.setitem(ARMS, "early-stop", replace(ARMS["early-stop"], patience=2))
    result = diabetes.run(["early-stop"], seed=2, epochs=40)
    (stopped,) = result.fits
    losses = [row["val_data_loss"] for row in stopped.rows]
    count, best = len(losses), int(np.argmin(losses))
    assert best == count - 3 < 30
    # 1e-5: float32 sums in another order.
    assert math.isclose(stopped.validation_loss, losses[best], rel_tol=1e-5)
    assert f"Stopped after {count} of 40 epochs" in result.sentences()[0]
    shown = _figure.curves(result, result.arms[0], "val_data_loss")
    assert shown.shape == (1, 40)
    assert list(shown[0, count:]) == [stopped.validation_loss] * (40 - count)
    result.save(tmp_path)


def with_losses(result, losses):
    """The first fits of `result` as those of other arms, with these losses."""
    fits = [
        replace(result.fits[0], arm=arm, validation_loss=loss)
        for arm, loss in losses.items()
    ]
    return replace(
        result,
        arms=tuple(ARMS[arm] for arm in losses),
        seeds=result.seeds[:1],
        splits=result.splits[:1],
        fits=tuple(fits),
        baselines=result.baselines[::2],
    )


def test_whose_the_improvement_is_follows_from_the_numbers(short):
    losses = {"none": 0.9, "l2-article": 0.92, "dropout": 0.58, "article": 0.57}
    (*_, last) = with_losses(short[0], losses).sentences()
    assert "+0.02 with L2 1e-5 alone, by -0.32 with dropout alone" in last
    assert last.endswith("the original script's improvement is the dropout's.")
    for other in ({"l2-article": 0.6}, {"article": 0.95}, {"dropout": 0.8}):
        (*_, last) = with_losses(short[0], losses | other).sentences()
        assert "cannot be told" in last
    del losses["article"]
    (*_, last) = with_losses(short[0], losses).sentences()
    assert last.startswith("dropout: ")


def test_progress_counts_every_epoch(short):
    reports = short[1]
    expected = [
        (arm, seed, epoch, 6, fit, 4)
        for fit, (arm, seed) in enumerate(
            itertools.product(["none", "article"], [3, 4]), start=1
        )
        for epoch in range(7)
    ]
    assert [tuple(report) for report in reports] == expected


def test_losses_at_the_end_agree_with_the_curve(short):
    for fit in short[0].fits:
        assert len(fit.rows) == 6
        last = fit.rows[-1]
        # 1e-5: float32 sums in another order. Both are without dropout.
        assert math.isclose(fit.validation_loss, last["val_data_loss"], rel_tol=1e-5)
        assert fit.gap == fit.validation_loss - fit.train_loss
        assert str(kd.diagnose(fit.rows)) == fit.sentence
        assert fit.seconds > 0


def test_table_is_mean_and_deviation_over_seeds(short):
    result = short[0]
    rows = {row.name: row for row in result.table()}
    assert list(rows) == ["none", "article", "ridge-cv", "mean"]
    gaps = [fit.gap for fit in result.fits if fit.arm == "article"]
    assert math.isclose(rows["article"].gap.mean, np.mean(gaps))
    assert math.isclose(rows["article"].gap.deviation, np.std(gaps, ddof=1))
    assert rows["article"].verdict.endswith("/2")
    ridge = [b.test_loss for b in result.baselines if b.name == "ridge-cv"]
    assert len(ridge) == 2
    assert math.isclose(rows["ridge-cv"].test_loss.mean, np.mean(ridge))
    assert rows["ridge-cv"].best_epoch is None
    assert "dropout's" in result.sentences()[1]


def test_saved_files_say_what_the_result_says(short, tmp_path):
    result = short[0]
    paths = result.save(tmp_path)
    names = diabetes.file_names(result.arms, result.seeds)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert [path.name for path in paths] == names
    saved = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert saved["backend"] == keras.backend.backend()
    assert {"python", "keras", "keras_decay", "numpy", "scikit-learn"} < set(
        saved["versions"]
    )
    assert saved["device"]["kind"] in ("cpu", "gpu")
    assert saved["device"]["name"]
    assert saved["arguments"]["seeds"] == [3, 4]
    fits = [fit for arm in saved["arms"] for fit in arm["fits"]]
    assert len(fits) == 4
    for fit, original in zip(fits, result.fits, strict=True):
        rows = kd.LearningCurve.load(tmp_path / fit["curve"]).rows
        assert rows == original.rows
        assert fit["gap"] == fit["validation_loss"] - fit["train_loss"]
        assert (fit["verdict"], fit["sentence"]) == (
            original.verdict,
            original.sentence,
        )
        assert original.train_loss == fit["train_loss"]
    assert saved["sentences"] == result.sentences()


def test_figure_is_written_with_text_as_text(short, tmp_path):
    short[0].save(tmp_path)
    png, svg = (tmp_path / f"diabetes.{kind}" for kind in ("png", "svg"))
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text(encoding="utf-8")
    assert "Without a penalty</text>" in text
    assert "RidgeCV</text>" in text


@pytest.mark.parametrize("words", [1, 20, 60])
def test_a_verdict_of_any_length_stands_above_its_panel(short, words):
    fits = [replace(short[0].fits[0], sentence=" ".join(["overfitting"] * words))]
    result = replace(
        short[0],
        arms=(ARMS["none"],),
        seeds=(0,),
        splits=short[0].splits[:1],
        fits=tuple(fits),
        baselines=short[0].baselines[:1],
    )
    figure = result.draw()
    figure.draw_without_rendering()
    panel = figure.axes[0]
    (verdict,) = (text for text in panel.texts if "verfitting" in text.get_text())
    box, title = verdict.get_window_extent(), panel._left_title.get_window_extent()
    assert panel.get_window_extent().y1 <= box.y0 and box.y1 <= title.y0


@pytest.mark.parametrize(
    "arms", (["none"], ["dropout"], ["adamw", "l2-article"], list(ARMS))
)
@pytest.mark.parametrize("seeds", (1, 2))
def test_figure_of_any_selection(short, arms, seeds):
    """Whatever is selected is drawn, with no text over another."""
    fits = [
        replace(fit, arm=arm, seed=seed)
        for arm in arms
        for fit, seed in zip(short[0].fits[:seeds], range(seeds), strict=True)
    ]
    result = replace(
        short[0],
        arms=tuple(ARMS[arm] for arm in arms),
        seeds=tuple(range(seeds)),
        splits=short[0].splits[:seeds],
        fits=tuple(fits),
        baselines=short[0].baselines[:seeds] + short[0].baselines[2 : 2 + seeds],
    )
    figure = result.draw()
    assert len(figure.axes) == (3 if len(arms) == 1 else 4)
    figure.draw_without_rendering()
    texts = [
        (text.get_text(), text.get_window_extent())
        for axes in figure.axes
        for text in (*axes.texts, axes._left_title, axes.xaxis.label, axes.yaxis.label)
        if text.get_text()
    ]
    ticks = figure.axes[-1].get_yticklabels()
    texts += [
        (text.get_text(), text.get_window_extent()) for text in (*figure.texts, *ticks)
    ]
    for (name, box), (other, other_box) in itertools.combinations(texts, 2):
        assert not box.overlaps(other_box), (name, other)
    for name, box in texts:
        assert figure.bbox.x0 <= box.x0, name
        assert box.x1 <= figure.bbox.x1, name


@pytest.mark.slow
@pytest.mark.parametrize("epochs", (1, 2))
def test_very_short_runs(epochs, tmp_path):
    result = diabetes.run(["none"], epochs=epochs)
    assert result.fits[0].verdict == "inconclusive"
    result.save(tmp_path)


def test_a_diverged_fit_is_saved_all_the_same(short, tmp_path):
    losses = ("train_loss", "validation_loss", "test_loss")
    fits = tuple(
        replace(
            fit,
            **dict.fromkeys(losses, math.nan),
            best_epoch=None,
            rows=[
                row | {"data_loss": value, "val_data_loss": None}
                for row, value in zip(fit.rows, [1.0] * 5 + [math.nan], strict=True)
            ],
        )
        for fit in short[0].fits
    )
    replace(short[0], fits=fits).save(tmp_path)
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    saved = json.loads(text, parse_constant=pytest.fail)
    assert saved["arms"][0]["fits"][0]["test_loss"] is None


@pytest.mark.slow
def test_the_tuned_strength_comes_from_training_rows_alone(monkeypatch, tmp_path):
    """With an engine that costs nothing: what is searched, used, drawn and saved."""
    jobs = []

    def engine(job, tasks, **how):
        jobs.append(job)
        return numpy_engine.run(job, tasks, **how)

    monkeypatch.setattr(_cv, "run", engine)
    tuning = diabetes.tune(seed=3, epochs=2)
    (job,) = jobs  # nothing is trained on all rows here
    train = _data.load(3).train
    np.testing.assert_array_equal(job.data.x, train.x.astype("float32"))
    np.testing.assert_array_equal(job.data.y, train.y.astype("float32"))
    assert len(job.splits) == 5 and job.settings.epochs == 2
    assert job.settings.batch_size == diabetes.BATCH_SIZE
    assert [one["l2"] for one in job.candidates] == list(_tuning.STRENGTHS)
    result = diabetes.run(["none", "l2"], seed=3, epochs=2, tuning=tuning)
    assert result.arms[0] == ARMS["none"] and result.arms[1].l2 == tuning.strength
    assert f"{tuning.strength:g}" in result.arms[1].title
    assert ARMS["l2"].l2 == 1e-2
    paths = result.save(tmp_path)
    names = diabetes.file_names(result.arms, result.seeds, True)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert set(_tuning.FILES) < set(names) and len(paths) == len(names)
    saved = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert saved["tuning"]["lambda_1se"] == saved["arms"][1]["l2"] == tuning.strength
    losses = -tuning.search.cv_results_["mean_test_score"]
    assert saved["tuning"]["held_out_loss"] == losses.tolist()
    assert result.sentences()[0].startswith("tuning: λ = ")


def test_an_arm_of_its_own_is_tuned_unasked(short, monkeypatch):
    asked = []

    def tune(**how):
        asked.append(how)
        return _tuning.Tuning(3, SimpleNamespace(lambda_1se_=0.02, search_time_=5.0))

    fit = short[0].fits[0]
    monkeypatch.setattr(diabetes, "tune", tune)
    monkeypatch.setattr(
        diabetes, "train", lambda arm, split, **how: replace(fit, arm=arm.name)
    )
    result = diabetes.run(["l2", "tuned"], seed=3, epochs=6)
    assert asked == [{"seed": 3, "epochs": 6, "device": "auto"}]
    l2, tuned = result.arms
    assert l2 == ARMS["l2"] and tuned.l2 == 0.02 and tuned.title == "tuned L2, λ = 0.02"
    assert result.seconds > 5
    diabetes.run(["l2", "tuned"], seed=3, epochs=6, tuning=result.tuning)
    diabetes.run(["l2"], seed=3, epochs=6)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    (
        ({"arms": ["l3"]}, ValueError, ["arms", "'l3'", "adamw"]),
        ({"arms": ["none", "none"]}, ValueError, ["arms", "'none'", "once"]),
        ({"arms": []}, ValueError, ["arms", "[]"]),
        ({"arms": "none"}, TypeError, ["arms", "'none'", "list"]),
        ({"seeds": 0}, ValueError, ["seeds", "0"]),
        ({"seeds": 2.0}, TypeError, ["seeds", "2.0"]),
        ({"seed": -1}, ValueError, ["seed", "-1"]),
        ({"seed": 2**32}, ValueError, ["seed", str(2**32)]),
        ({"epochs": 0}, ValueError, ["epochs", "0"]),
        ({"epochs": "10"}, TypeError, ["epochs", "'10'"]),
        ({"epochs": True}, TypeError, ["epochs", "True"]),
        ({"device": "tpu"}, ValueError, ["device", "'tpu'", "gpu"]),
    ),
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error) as caught:
        diabetes.run(**arguments)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.slow
@once
def test_gap_of_strong_l2_is_at_most_a_third(three_seeds):
    rows = {row.name: row for row in three_seeds.table()}
    assert rows["l2"].gap.mean <= rows["none"].gap.mean / 3
    for none, l2 in zip(three_seeds.fits[:3], three_seeds.fits[3:], strict=True):
        assert none.seed == l2.seed
        assert l2.gap < none.gap / 2


@pytest.mark.slow
@once
def test_verdicts_over_three_seeds(three_seeds):
    for fit in three_seeds.fits:
        if fit.arm == "none":
            assert fit.verdict == "overfitting"
            assert fit.sentence.startswith("overfitting since epoch ")
        else:
            assert fit.verdict != "overfitting"
