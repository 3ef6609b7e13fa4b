"""Words in a figure: legible, whole, none over another, and none over a line."""

import itertools

import numpy as np
import pytest

from keras_decay.curves import plot_curves
from keras_decay.curves.draw import figure as _figure
from keras_decay.ground import looks

NAMES = ["no penalty", "L2(0.01)", "L1(0.001)", "AdamW", "dropout", "lasso", "net", "8"]


def family(curves, names, shape="u"):
    """Curves at different heights, one per name."""
    made = {}
    for index, name in enumerate(names):
        curve = curves(shape, 30, noise=0.02, seed=index)
        made[name] = {
            key: [value * (1 - 0.08 * index) for value in values]
            for key, values in curve.items()
        }
    return made


def words(ax):
    """Every text that is shown, with its box in pixels."""
    ax.figure.draw_without_rendering()
    legend = ax.get_legend()
    artists = [
        *ax.texts,
        ax._left_title,
        ax.xaxis.label,
        ax.yaxis.label,
        *ax.get_xticklabels(),
        *ax.get_yticklabels(),
        *(legend.get_texts() if legend else ()),
    ]
    inside = ax.get_window_extent().padded(1)
    ticks = {*ax.get_xticklabels(), *ax.get_yticklabels()}
    shown = {}
    for artist in artists:
        box = artist.get_window_extent()
        # Labels of ticks beyond the limits are not drawn.
        beyond = artist in ticks and not (
            inside.x0 <= (box.x0 + box.x1) / 2 <= inside.x1
            or inside.y0 <= (box.y0 + box.y1) / 2 <= inside.y1
        )
        if artist.get_text() and artist.get_visible() and not beyond:
            shown[artist] = box
    return shown


def assert_clean(ax):
    """No word is cut off, over another, or over a line."""
    shown = list(words(ax).items())
    whole = ax.figure.bbox
    for index, (artist, box) in enumerate(shown):
        text = artist.get_text()
        assert box.x0 >= whole.x0 and box.x1 <= whole.x1, text
        assert box.y0 >= whole.y0 and box.y1 <= whole.y1, text
        assert artist.get_fontsize() >= 7, text
        for other, there in shown[:index]:
            assert not box.padded(-1).overlaps(there), (text, other.get_text())
        for line in ax.lines:
            if line.get_label().startswith("_child") and len(line.get_xdata()) == 2:
                continue  # the vertical line that the note stands beside
            path = line.get_path().transformed(ax.transData)
            assert not path.intersects_bbox(box.padded(-1), filled=False), text


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize("tail", ["", " of a network"])
def test_one_and_eight_curves_at_the_width_of_a_column(curves, count, tail, log):
    names = [name + tail for name in NAMES[:count]]
    ax = plot_curves(family(curves, names), log=log)
    assert ax.figure.get_figwidth() == 3.3
    assert_clean(ax)
    named = {text.get_text() for text in words(ax)}
    assert named >= (set(names) if count > 1 else {"training", "validation"})
    assert (ax.get_legend() is not None) == (count > 1 and bool(tail))


def test_eight_curves_are_told_apart_without_colour_too(curves):
    ax = plot_curves(family(curves, NAMES))
    lines = [line for line in ax.lines if line.get_label() in NAMES]
    assert len({line.get_color() for line in lines}) == 8
    different = [looks.colour_and_style(index) for index in range(32)]
    assert len(set(different)) == 32
    near = itertools.pairwise(different)
    assert all(one[1] != other[1] for one, other in near)
    # Validation is thick, training thin.
    assert {line.get_linewidth() for line in lines} == {_figure.THICK}
    assert len([1 for line in ax.lines if line.get_linewidth() == _figure.THIN]) == 8


@pytest.mark.parametrize("layout", [None, "constrained"])
def test_axes_of_somebody_else(curves, layout):
    figure = _figure.Figure(figsize=(6.8, 2.8), layout=layout)
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(top=0.75, bottom=0.2) if layout is None else None
    plot_curves(family(curves, NAMES[:4]), ax=left)
    plot_curves({"one": family(curves, NAMES[:1])["no penalty"]}, ax=right)
    # There is no room between the axes, unless the layout makes it.
    assert (left.get_legend() is not None) == (layout is None)
    for ax in (left, right):
        assert_clean(ax)
    assert tuple(figure.get_size_inches()) == (6.8, 2.8)


def test_smoothing_averages_each_curve(curves):
    """Oracle: numpy's convolution, away from the ends."""
    runs = family(curves, NAMES[:2])
    ax = plot_curves(runs, smooth=5)
    line = next(line for line in ax.lines if line.get_label() == NAMES[0])
    expected = np.convolve(runs[NAMES[0]]["val_loss"], np.ones(5) / 5, mode="valid")
    np.testing.assert_allclose(line.get_ydata()[2:-2], expected)


def test_text_stays_text_in_svg(curves, tmp_path):
    path = tmp_path / "eight.svg"
    _figure.save(plot_curves(family(curves, NAMES)).figure, path)
    svg = path.read_text()
    assert all(f">{name}</text>" in svg for name in NAMES)

    assert "font: 7.5px" in svg or "font-size: 7.5" in svg
