"""Pictures while training runs: what they are made of, and what they show."""

import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from keras_decay.curves.data import columns
from keras_decay.curves.data.thinned import Thinned
from keras_decay.curves.draw import picture as _picture
from keras_decay.curves.draw import svg, text_plot

SVG = "{http://www.w3.org/2000/svg}"


def test_a_long_curve_is_thinned_to_means():
    """Oracle: numpy's mean over the same epochs."""
    thinned = Thinned()
    values = np.random.default_rng(0).uniform(size=10_000)
    for epoch, value in enumerate(values):
        thinned.add({"epoch": epoch, "loss": value, "note": "x", "step": 3})
        if epoch == 398:
            short = thinned.rows()
    assert [row["loss"] for row in short] == list(values[:399])
    rows = thinned.rows()
    assert 200 <= len(rows) <= 400
    every = round(rows[1]["epoch"] - rows[0]["epoch"])
    for index, row in enumerate(rows):
        part = slice(index * every, (index + 1) * every)
        assert row["loss"] == pytest.approx(values[part].mean())
        assert row["epoch"] == pytest.approx(np.arange(10_000)[part].mean())
    assert set(rows[0]) == {"epoch", "loss"}


def test_what_is_missing_or_not_finite_stays_so():
    thinned = Thinned()
    for epoch in range(1000):
        row = {"epoch": epoch, "loss": math.nan if epoch == 700 else 1.0}
        thinned.add(row | ({"val_loss": 2.0} if epoch % 10 == 9 else {}))
    rows = thinned.rows()
    assert sum(math.isnan(row["loss"]) for row in rows) == 1
    assert {row.get("val_loss") for row in rows} == {None, 2.0}


@pytest.mark.parametrize(
    "rows",
    [
        [{"epoch": 0, "loss": 1.0}],
        [{"epoch": 0, "val_loss": 0.0}],
        [{"epoch": 0, "accuracy": 0.5}],
        [{"epoch": e, "loss": math.nan, "val_loss": math.inf} for e in range(3)],
        [{"epoch": e, "loss": 1.0, "val_loss": 1.0} for e in range(9)],
        [{"epoch": e, "loss": -(10.0**e), "val_loss": 1e300} for e in range(9)],
        [{"epoch": e, "loss": 10.0**-e, "val_loss": 1e-30} for e in range(9)],
        [{"epoch": e, "data_loss": 5e-324 * e, "loss": None} for e in range(9)],
        [{"epoch": e, "loss": 1e9 + e * 1e-6} for e in range(9)],
    ],
)
@pytest.mark.parametrize("size", [(100, 16), (31, 7), (20, 3)])
def test_odd_curves_are_shown(rows, size):
    picture = _picture.picture(rows)
    ElementTree.fromstring(svg.svg(picture))
    lines = text_plot.text_plot(picture, *size)
    assert len(lines) == (size[1] if size[0] > 30 else 1)
    for line in lines:
        assert sum(len(piece.text) for piece in line) <= size[0]


def test_the_svg_shows_the_values(curves):
    """Oracle: the heights of the lines, read against the labels of the axis."""
    rows = columns.as_rows(curves("u", 30))
    root = ElementTree.fromstring(svg.svg(_picture.picture(rows)))
    texts = {text.text: text for text in root.iter(f"{SVG}text")}
    y = {name: float(texts[name].get("y")) - 4 for name in ("0.2", "1")}
    train, val = (
        np.array([point.split(",") for point in line.get("points").split()], float)
        for line in root.iter(f"{SVG}polyline")
    )
    for line, column in ((train, "loss"), (val, "val_loss")):
        values = 0.2 + 0.8 * (line[:, 1] - y["0.2"]) / (y["1"] - y["0.2"])
        expected = [row[column] for row in rows]
        np.testing.assert_allclose(values, expected, atol=2e-3)
    # Training lies half an epoch earlier.
    step = val[1, 0] - val[0, 0]
    np.testing.assert_allclose(val[:, 0] - train[:, 0], step / 2, atol=0.11)
    words = " ".join(text for text in texts if text)
    assert "Overfitting since epoch" in words and "epoch 29 · training" in words


def test_the_text_plot_shows_the_values():
    """Oracle: a straight line, the dots of which lie on the diagonal."""
    rows = [{"epoch": e, "val_loss": float(e)} for e in range(50)]
    lines = text_plot.text_plot(_picture.picture(rows), 60, 14)
    assert len(lines) == 14
    text = ["".join(piece.text for piece in line) for line in lines]
    # The first line holds the numbers, the last four axis, epochs and verdict.
    plot = text[1:-3]
    left = plot[0].index("┤") + 1
    dots = [
        (4 * row + up, 2 * (column - left) + across)
        for row, line in enumerate(plot)
        for column, character in enumerate(line)
        if column >= left and 0x2800 < ord(character) < 0x2900
        for up in range(4)
        for across in range(2)
        if (ord(character) - 0x2800) & text_plot.BITS[up][across]
    ]
    heights, places = np.array(dots).T
    slope, offset = np.polyfit(places, heights, 1)
    assert slope < 0
    assert np.abs(heights - slope * places - offset).max() < 1.1
    assert text[0].startswith("epoch 49 · validation 49")
    assert text[-2].split()[0] == "0" and text[-2].split()[-1] == "49"


def test_a_wide_range_is_shown_on_a_logarithmic_axis():
    rows = [{"epoch": e, "loss": 10.0 ** (-e / 10)} for e in range(40)]
    picture = _picture.picture(rows)
    assert picture.log
    _, up = picture.places(picture.lines[0])
    assert np.ptp(np.diff(up)) < 1e-9
    assert picture.value_at(float(up[0])) == pytest.approx(1.0)
    assert [value for value, _ in picture.ticks()] == [1e-4, 1e-3, 1e-2, 0.1, 1.0]


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (0, 1, 4, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.1, 1.02, 4, [0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 59, 6, [0, 10, 20, 30, 40, 50]),
        (-3, 3, 4, [-3, -2, -1, 0, 1, 2, 3]),
    ],
)
def test_round_numbers(low, high, count, expected):
    numbers = _picture.round_numbers(low, high, count)
    assert numbers == pytest.approx(expected)
