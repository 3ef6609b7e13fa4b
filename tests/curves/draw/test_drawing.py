"""What is drawn, read back from the artists, and nothing left behind."""

import math
import sys

import numpy as np
import pytest

from keras_decay.curves import plot_curves
from keras_decay.curves.data import columns
from keras_decay.curves.draw import drawing
from keras_decay.curves.draw import figure as _figure
from keras_decay.ground import looks

# Validation turns up at epoch 10, training goes on falling.
ROWS = [
    {"epoch": e, "loss": 0.9**e, "val_loss": 1 + abs(e - 10) / 20, "acc": 0.5}
    for e in range(40)
]


def lines(ax):
    return [line for line in ax.lines if not line.get_label().startswith("_child")]


def texts(ax):
    return " ".join(text.get_text() for text in ax.texts).replace("\n", " ")


def test_training_lies_half_an_epoch_before_validation():
    training, validation = lines(drawing.draw(ROWS))
    assert training.get_label() == "training"
    np.testing.assert_array_equal(training.get_xdata(), np.arange(40) - 0.5)
    np.testing.assert_array_equal(validation.get_xdata(), np.arange(40))
    np.testing.assert_array_equal(
        validation.get_ydata(), [row["val_loss"] for row in ROWS]
    )


def test_training_that_was_evaluated_again_lies_where_validation_does():
    rows = [{**row, "train_loss": 0.5 * row["loss"]} for row in ROWS]
    for ax in (drawing.draw(rows), plot_curves({"a": rows, "b": rows})):
        train = ax.lines[0]
        np.testing.assert_array_equal(train.get_xdata(), np.arange(40))
        expected = [row["train_loss"] for row in rows]
        np.testing.assert_array_equal(train.get_ydata(), expected)
        assert "evaluated at the epoch's end" in texts(ax)
    # Like is compared with like where one of them was not.
    ax = plot_curves({"a": rows, "b": ROWS})
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(40) - 0.5)


def test_restarts_are_marked_and_the_line_goes_on():
    rows = [
        {**row, "restart": True} if row["epoch"] in (7, 20) else row for row in ROWS
    ]
    ax = drawing.draw(rows)
    marks = [line for line in ax.lines if line.get_marker() == "^"]
    assert [list(mark.get_xdata()) for mark in marks] == [[6.5, 19.5]]
    assert "▲ Training was restarted" in texts(ax)
    assert all(len(line.get_xdata()) == 40 for line in lines(ax))


def test_the_verdict_stands_in_the_picture():
    ax = drawing.draw(ROWS)
    assert "Overfitting since epoch" in texts(ax)
    assert "best epoch" in texts(ax)
    assert ax.get_title(loc="left") == "Loss"


def test_the_loss_without_penalty_is_named():
    rows = [{**r, "data_loss": r["loss"], "val_data_loss": r["loss"]} for r in ROWS]
    assert drawing.draw(rows).get_ylabel() == "loss without penalty"


def test_another_metric():
    ax = drawing.draw(ROWS, metric="acc")
    assert [line.get_label() for line in lines(ax)] == ["training"]
    assert "verfitting" not in texts(ax)
    assert drawing.draw(ROWS, metric="val_loss").get_ylabel() == "loss"


def test_smoothing_leaves_the_raw_line_faint():
    ax = drawing.draw(ROWS, smooth=5, log=True)
    assert sum(line.get_alpha() == 0.25 for line in ax.lines) == 2
    assert ax.get_yscale() == "log"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"metric": "f1"}, "one of 'acc', 'loss'"),
        ({"metric": None}, "`metric`"),
        ({"smooth": -1}, "`smooth`"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        drawing.draw(ROWS, **arguments)
    with pytest.raises(ValueError, match="nothing to draw"):
        drawing.draw([])
    with pytest.raises(ValueError, match="`log`"):
        drawing.draw([{"epoch": 0, "loss": -1.0}], log=True)


@pytest.mark.parametrize(
    "rows",
    [
        [{"epoch": 0, "loss": 1.0}],
        [{"epoch": 0, "loss": 1.0, "val_loss": 2.0}],
        [{"epoch": e, "loss": math.nan, "val_loss": math.inf} for e in range(3)],
        [{"epoch": e, "loss": 1.0, "val_loss": 1.0} for e in range(9)],
        [{"epoch": e, "loss": 10.0**e, "val_loss": 1e300} for e in range(9)],
    ],
    ids=["one", "one with validation", "not finite", "constant", "exploding"],
)
def test_odd_curves_are_drawn(rows, tmp_path):
    for log in (False, True):
        _figure.save(drawing.draw(rows, log=log).figure, tmp_path / "run.png")


def overlaps(figure):
    """The pairs of texts whose boxes overlap in the drawn picture."""
    figure.draw_without_rendering()
    ax = figure.axes[0]
    shown = [*ax.texts, ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label]
    shown = [text for text in shown if text.get_text()]
    boxes = [text.get_window_extent().padded(-1) for text in shown]
    return [
        (one.get_text(), other.get_text())
        for i, one in enumerate(shown)
        for j, other in enumerate(shown[:i])
        if boxes[i].overlaps(boxes[j])
    ]


@pytest.mark.parametrize("shape", ["u", "settles", "plateau", "long plateau"])
def test_no_text_overlaps_another(curves, shape):
    rows = columns.as_rows(curves(shape, 30, noise=0.02))
    assert overlaps(drawing.draw(rows).figure) == []
    same = {name: curves(shape, 30) for name in ("no penalty", "L2(0.01)", "L1(0.1)")}
    assert overlaps(plot_curves(same).figure) == []


def test_several_runs_are_a_mean_in_a_band(curves):
    """Oracle: numpy's mean, minimum and maximum."""
    runs = [curves("u", 40, noise=0.1, seed=seed) for seed in range(3)]
    ax = plot_curves({"seeds": runs, "one": runs[0]})
    labels = [line.get_label() for line in ax.lines]
    mean = ax.lines[labels.index("seeds")]
    values = np.array([run["val_loss"] for run in runs])
    np.testing.assert_allclose(mean.get_ydata(), values.mean(axis=0))
    assert mean.get_linestyle() == "-"
    box = ax.collections[1].get_paths()[0].get_extents()
    assert (box.ymin, box.ymax) == pytest.approx((values.min(), values.max()))
    assert "band: lowest to highest" in texts(ax)
    colours = {line.get_color() for line in ax.lines}
    assert colours == set(looks.COLOURS[:2])


def test_runs_of_unequal_length_meet_where_all_are(curves):
    short, long = curves("u", 10), curves("u", 20)
    ax = plot_curves({"runs": [short, long]})
    assert all(len(line.get_xdata()) == 10 for line in ax.lines)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({}, ValueError, "`curves`"),
        ([ROWS], ValueError, "`curves`"),
        ({"a": 3}, TypeError, "curves\\['a'\\]"),
        ({"a": []}, ValueError, "'a' has no rows"),
        ({"a": ROWS, "b": [{"epoch": 0, "data_loss": 1}]}, ValueError, "in common"),
    ],
)
def test_bad_curves_are_named(given, error, match):
    with pytest.raises(error, match=match):
        plot_curves(given)


def test_given_axes_are_used():
    figure = _figure.Figure()
    ax = figure.add_subplot()
    assert plot_curves({"a": ROWS}, ax=ax) is ax
    assert drawing.draw(ROWS, ax=ax) is ax


def test_a_figure_shows_itself_in_a_notebook():
    picture, size = drawing.draw(ROWS).figure._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert size["width"] == 561


def test_no_figure_is_left_open():
    drawing.draw(ROWS)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


@pytest.mark.slow
def test_reading_and_judging_need_neither_matplotlib_nor_pandas(run_python):
    """Keras may import them itself; we must work where they cannot be imported."""
    run_python(
        """
import sys
for name in ("matplotlib", "pandas", "sklearn"):
    sys.modules[name] = None
import keras_decay.curves, keras_decay.callbacks
keras_decay.callbacks.LearningCurve()
print(keras_decay.curves.diagnose({"loss": [1.0] * 9, "val_loss": [1.0] * 9}))
"""
    )
