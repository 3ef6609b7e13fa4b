"""A live picture of a curve, independent of how it is drawn."""

import math
from dataclasses import dataclass

import numpy as np

from keras_decay.curves.data import columns
from keras_decay.curves.draw import drawing
from keras_decay.curves.verdict.diagnosis import diagnose

# A curve that spans a larger factor has a logarithmic axis.
LOG_FROM = 30.0


@dataclass(frozen=True)
class Line:
    """One line; values that cannot be drawn are NaN."""

    name: str
    x: np.ndarray
    y: np.ndarray

    @property
    def last(self):
        """The last value, whether or not it can be drawn."""
        return float(self.y[-1])


@dataclass(frozen=True)
class Picture:
    """The lines of a curve, their limits, and the words beside them.

    Attributes:
        lines: Training, if any, and validation, if any.
        label: What they show.
        x_limits, y_limits: Limits of the axes; heights are powers of ten if `log`.
        log: Whether the vertical axis is logarithmic.
        numbers: The state of the training in numbers.
        sentence: The verdict.
        best: The epoch of the best validation, or None.
        onset: The epoch since which the model overfits, or None.
    """

    lines: list[Line]
    label: str
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]
    log: bool
    numbers: str
    sentence: str
    best: int | None
    onset: int | None

    def places(self, line):
        """The points of a line as fractions of the width and of the height."""
        y = np.log10(line.y) if self.log else line.y
        return _share(line.x, self.x_limits), _share(y, self.y_limits)

    def value_at(self, height):
        """The value at a fraction of the height."""
        low, high = self.y_limits
        value = low + height * (high - low)
        return 10.0**value if self.log else value

    def ticks(self, count=4):
        """Round values between the limits, about `count`, and their heights."""
        low, high = self.y_limits
        if self.log:
            values = [
                digit * 10.0**power
                for power in range(math.floor(low), math.ceil(high) + 1)
                for digit in ((1,) if high - low > 3 else (1, 2, 5))
            ]
        else:
            values = round_numbers(low, high, count)
        at = [(math.log10(value) if self.log else value) for value in values]
        return [
            (value, float(_share(place, self.y_limits)))
            for value, place in zip(values, at, strict=True)
            if low <= place <= high
        ]


def picture(rows):
    """The picture of a curve with at least one row."""
    column = columns.loss_columns(rows)
    train, shift, _ = drawing.training(rows, column)
    lines = [
        Line(name, series.epochs - earlier, drawing.drawable(series.values))
        for name, series, earlier in (
            ("training", train, shift),
            ("validation", columns.series(rows, f"val_{column}"), 0.0),
        )
        if len(series)
    ]
    values = np.concatenate([line.y for line in lines] or [np.zeros(0)])
    values = values[np.isfinite(values)]
    log = bool(len(values)) and 0 < values.min() * LOG_FROM < values.max()
    diagnosis = diagnose(rows)
    judged = diagnosis.verdict != "inconclusive"
    epoch = float(rows[-1]["epoch"])
    return Picture(
        lines=lines,
        label=drawing.label_of(column),
        x_limits=(float(rows[0]["epoch"]) - shift, max(epoch, 1.0)),
        y_limits=_limits(np.log10(values) if log else values),
        log=log,
        numbers=_numbers(epoch, lines, diagnosis),
        sentence=drawing.sentence_of(diagnosis),
        best=diagnosis.best_epoch if judged else None,
        onset=diagnosis.onset_epoch,
    )


def round_numbers(low, high, count):
    """About `count` multiples of 1, 2 or 5 times a power of ten, between limits."""
    step = 10.0 ** math.floor(math.log10((high - low) / count))
    while (high - low) / step > 1.5 * count:
        for factor in (2, 2.5, 2):  # 1, 2, 5, 10
            step *= factor
            if (high - low) / step <= 1.5 * count:
                break
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(step * index, 12) for index in range(first, last + 1)]


def _limits(values):
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
    return low - margin, high + margin


def _share(values, limits):
    low, high = limits
    return (values - low) / (high - low)


def _numbers(epoch, lines, diagnosis):
    parts = [f"epoch {int(epoch)}"]
    parts += [f"{line.name} {line.last:.4g}" for line in lines]
    if diagnosis.best_val is not None:
        parts.append(f"best {diagnosis.best_val:.4g} at {diagnosis.best_epoch}")
    return " · ".join(parts)
