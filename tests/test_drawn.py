"""The checker of figures finds each kind of fault where it is planted, and no other."""

import numpy as np
import pytest
from drawn import faults, lines_of
from matplotlib.figure import Figure

X = np.arange(10.0)


def clean(columns=1, **options):
    """Two named lines on labelled axes: figure and axes, without a fault."""
    figure = Figure(figsize=(4 * columns, 3))
    figure.subplots_adjust(left=0.17 / columns, bottom=0.2, wspace=0.4)
    several = figure.subplots(1, columns, squeeze=False, **options)[0]
    for axes in several:
        axes.plot(X, X, color="#d55e00", label="training")
        axes.plot(X, X**1.1, "--", color="#0072b2", label="validation")
        axes.legend(loc="upper left")
        axes.set(xlabel="epoch", ylabel="loss", title="A loss")
    return figure, several[0] if columns == 1 else several


def test_a_clean_figure_has_no_fault():
    assert faults(clean()[0]) == []
    assert faults(clean(3, sharex=True, sharey=True)[0], dpi=150) == []


def test_boxes_are_those_of_matplotlib():
    """Oracle: `Text.get_window_extent`, upright and turned by 90°."""
    figure = Figure(figsize=(4, 3))
    for angle in (0, 90, 180, 270):
        figure.texts.clear()
        text = figure.text(0.5, 0.4, "growth (μ)", rotation=angle, fontsize=17)
        (line,) = lines_of(figure)
        box = text.get_window_extent()
        corners = np.array([line.corners.min(axis=0), line.corners.max(axis=0)])
        np.testing.assert_allclose(corners, box.get_points(), atol=1)


def test_texts_that_are_not_drawn_do_not_count():
    figure, axes = clean()
    figure.text(0.5, 0.5, "")
    figure.text(0.5, 0.5, "hidden").set_visible(False)
    figure.text(0.5, 0.5, "hidden", alpha=0)
    axes.text(0, 5, "beyond the limits", clip_on=True)
    axes.annotate("beyond the limits", (5, 5))
    axes.set_xlim(6, 9)
    assert faults(figure) == []


def title(figure, axes):
    figure.text(0.4, 0.94, "over the title")


def tick_label(figure, axes):
    axes.text(0, -0.04, "Here", transform=axes.transAxes, va="top")


def legend(figure, axes):
    axes.text(0.15, 0.88, "in the legend", transform=axes.transAxes)


def crowded_ticks(figure, axes):
    axes.set_xticks(np.linspace(0, 9, 40))


def turned(figure, axes):
    axes.text(5, 2, "one way up the hill", rotation=45, ha="center", va="center")
    axes.text(5, 2, "one way down again", rotation=-45, ha="center", va="center")


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (title, "over the title"),
        (tick_label, "Here"),
        (legend, "in the legend"),
        (crowded_ticks, "0.2"),
        (turned, "way up"),
    ],
)
def test_overlapping_texts(plant, words):
    figure, axes = clean()
    plant(figure, axes)
    found = faults(figure)
    assert found and all("overlap" in fault for fault in found)
    assert any(words in fault for fault in found)


def test_turned_texts_overlap_by_their_own_boxes():
    """Two slanted lines side by side, whose upright boxes lie over one another."""
    figure, axes = clean()
    for shift in (0, 0.09):
        axes.text(
            0.4 + shift,
            0.1,
            "a slanted line",
            rotation=45,
            transform=axes.transAxes,
            rotation_mode="anchor",
        )
    assert faults(figure) == []


@pytest.mark.parametrize(
    "place", [(-0.01, 0.5), (0.97, 0.5), (0.5, -0.01), (0.5, 0.99)]
)
def test_texts_beyond_the_canvas(place):
    figure = Figure(figsize=(4, 3))
    figure.text(*place, "a text")
    assert faults(figure) == ["'a text' leaves the canvas"]


def test_texts_that_a_clip_cuts():
    figure, axes = clean()
    axes.text(8.0, 1, "a long text", clip_on=True)
    assert faults(figure) == ["'a long text' is cut off"]


def no_labels(axes):
    axes.set_yticklabels([])


def one_label(axes):
    axes.set_yticks([2.0])


def one_power(axes):
    axes.set_yscale("log")
    axes.set_ylim(0.5, 1.9)
    axes.yaxis.set_minor_formatter("")


def no_power(axes):
    axes.set_yscale("log")
    axes.set_ylim(2.1, 8.9)
    axes.yaxis.set_minor_formatter("")


@pytest.mark.parametrize("plant", [no_labels, one_label, one_power, no_power])
def test_axes_without_two_labels(plant):
    figure, axes = clean()
    plant(axes)
    (fault,) = faults(figure)
    assert fault.startswith("the y axis of 'A loss' has labels")


def test_a_partner_of_the_row_labels_its_neighbours():
    figure, (left, right) = clean(2, sharey=True)
    assert faults(figure) == []
    right.set_ylim(0, 5)
    assert faults(figure) == []  # they share their limits
    figure, (left, right) = clean(2)
    right.set_yticklabels([])
    left.set_ylim(0, 5)
    (fault,) = faults(figure)
    assert "y axis" in fault


def test_an_axis_without_ticks_or_with_a_single_name_is_labelled():
    figure, axes = clean()
    axes.set_xticks([])
    axes.set_yticks([5.0], ["SGD"])
    assert faults(figure) == []
    axes.set_axis_off()
    axes.set_yticks([5.0], [""])
    assert faults(figure) == []


def further_line(axes):
    axes.plot(X, 9 - X, color="#009e73")


def further_dots(axes):
    axes.plot(X, 9 - X, "o", color="#009e73")


def further_scatter(axes):
    axes.scatter(X, 9 - X, color="#009e73")


def further_band(axes):
    axes.fill_between(X, X, 2 * X, color="#009e73", alpha=0.2)


def further_bars(axes):
    axes.bar(X, X, color="#009e73")


def further_style(axes):
    axes.plot(X, 9 - X, ":", color="#d55e00")


def contours(axes):
    axes.contour(X, X, np.outer(X, X), colors="#009e73")


def map_of_colours(axes):
    axes.pcolormesh(X, X, np.outer(X, X), zorder=-1)


UNNAMED = {
    further_line: "solid in #009e73",
    further_dots: "dots in #009e73",
    further_scatter: "dots in #009e73",
    further_band: "band in #009e73",
    further_bars: "bars in #009e73",
    further_style: "dotted in #d55e00",
    contours: "contours in #009e73",
    map_of_colours: "map in the colours of viridis",
}


@pytest.mark.parametrize("plant", UNNAMED)
def test_series_without_a_name(plant):
    figure, axes = clean()
    plant(axes)
    (fault,) = faults(figure)
    assert fault == f"nothing names {UNNAMED[plant]} of 'A loss'"


def test_what_names_a_series():
    """A text of its colour, a word, a note on it, a tick, a colour bar, a title."""
    figure, axes = clean()
    further_line(axes)
    axes.text(2, 8, "held out", color="#009e73")
    assert faults(figure) == []

    figure, axes = clean()
    further_style(axes)
    axes.set_xlabel("epoch; dotted: smoothed")
    assert faults(figure) == []

    figure, axes = clean()
    axes.plot(7, 2, "*", color="#009e73")
    axes.annotate("the best", (7, 2), xytext=(5, 0), textcoords="offset points")
    assert faults(figure) == []

    figure, axes = clean()
    axes.set_yticks([0, 4, 8], ["none", "L1", "L2"])
    for place in (0, 4, 8):
        axes.plot(X, np.full(10, place + 0.5), "s", color="#009e73")
    assert faults(figure) == []

    figure, axes = clean()
    map_of_colours(axes)
    figure.colorbar(axes.collections[0])
    assert faults(figure) == []

    figure = Figure(layout="constrained")
    figure.subplots(subplot_kw={"title": "A loss"}).plot(X, X)
    assert faults(figure) == []
    figure.axes[0].set_title("")
    (fault,) = faults(figure)
    assert fault.startswith("nothing names solid")


def test_guides_need_no_name():
    figure, axes = clean()
    axes.axvline(3, color="#009e73")
    axes.axhline(3, color="#009e73")
    axes.axvspan(3, 4, color="#009e73")
    axes.plot([], [], color="#009e73")
    axes.plot([np.nan], [1], color="#009e73")
    assert faults(figure) == []
