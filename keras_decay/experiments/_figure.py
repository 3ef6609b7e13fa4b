"""The picture of a result: the article's two panels, and the arms side by side."""

import textwrap

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from keras_decay.experiments import _report
from keras_decay.experiments._drawing import STYLE, draw_band, heading, label_ends
from keras_decay.ground.looks import (
    AMBER,
    BLUE,
    FAINT,
    GREEN,
    INDIGO,
    INK,
    OLIVE,
    ORANGE,
    PINK,
    SKY,
    TEAL,
    WINE,
)

COLOURS = {
    "none": ORANGE,
    "l2-article": AMBER,
    "l2": BLUE,
    "adamw": GREEN,
    "dropout": PINK,
    "article": SKY,
    "l1": WINE,
    "l2-dropout": INDIGO,
    "early-stop": OLIVE,
    "tuned": TEAL,
}
LEFT, RIGHT = 0.06, 0.925
# The height of a panel above, and of a line of its verdict, in inches.
PANEL, LINE = 3.18, 0.22
# With more arms than this the panel of all of them shows means over so many epochs.
FEW, EPOCHS = 6, 9


def draw(result):
    """The figure of a `DiabetesResult`, as a new `matplotlib.figure.Figure`."""
    top = ceiling(result)
    pair = contrast(result.arms)
    # With many arms the lower panels are higher, by `more` inches.
    more = max(0.0, 0.34 * (len(result.arms) + 1) - 2.39)
    verdicts = [verdict_lines(_report.fits_of(result, arm)) for arm in pair]
    lines = max(2, *map(len, verdicts))
    head = 1.28 + LINE * lines
    height = head + PANEL + 4.32 + more
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, height))
        edges = {"left": LEFT, "right": RIGHT}
        above = figure.add_gridspec(
            1,
            len(pair),
            top=1 - head / height,
            bottom=1 - (head + PANEL) / height,
            wspace=0.27,
            **edges,
        )
        below = figure.add_gridspec(
            1,
            2,
            top=1 - (head + PANEL + 1.05) / height,
            bottom=0.87 / height,
            wspace=0.5,
            **edges,
        )
        for index, (arm, verdict) in enumerate(zip(pair, verdicts, strict=True)):
            axes = figure.add_subplot(above[index])
            draw_arm(axes, result, arm, top)
            write_verdict(axes, arm, verdict, lines)
        draw_validation(figure.add_subplot(below[0]), result, top)
        draw_ends(figure.add_subplot(below[1]), result)
        write_heading(figure, result)
    return figure


def contrast(arms):
    """The arms of the large panels: no penalty, and L2 where it matters."""
    by_name = {arm.name: arm for arm in arms}
    left = by_name.get("none", arms[0])
    right = by_name.get("l2", arms[-1])
    return (left, right) if left is not right else (left,)


def curves(result, arm, column):
    """The `column` of an arm's learning curves, of shape (seeds, epochs).

    After an early stop the loss is that of the weights which were restored.
    """
    kept = {"data_loss": "train_loss", "val_data_loss": "validation_loss"}
    return np.array(
        [
            [np.nan if row[column] is None else row[column] for row in fit.rows]
            + [getattr(fit, kept[column])] * (result.epochs - len(fit.rows))
            for fit in _report.fits_of(result, arm)
        ],
        dtype=float,
    )


def ceiling(result):
    """The upper end of the axes: above all curves and bands, unless they run away."""
    highest = 1.0
    for arm in result.arms:
        for column in ("data_loss", "val_data_loss"):
            values = curves(result, arm, column)
            band = values.mean(axis=0) + values.std(axis=0, ddof=len(values) > 1)
            highest = max(highest, np.nanmax(np.append(band, highest)))
    return float(np.clip(1.05 * highest, 1.2, 1.8))


def draw_arm(axes, result, arm, top):
    """Training and validation loss of one arm against the epoch."""
    fits = _report.fits_of(result, arm)
    colour = COLOURS.get(arm.name, INK)
    train = curves(result, arm, "data_loss")
    validation = curves(result, arm, "val_data_loss")
    last = result.epochs - 1
    axes.set_xlim(-0.5, max(last, 1))
    axes.set_ylim(0, top)
    # What the verdict is about: the room between the two.
    epochs = np.arange(result.epochs)
    axes.fill_between(
        epochs,
        np.interp(epochs, epochs - 0.5, train.mean(axis=0)),
        validation.mean(axis=0),
        color=colour,
        alpha=0.07 if len(fits) == 1 else 0.03,
        lw=0,
    )
    # Training's mean over an epoch belongs half an epoch before its end.
    draw_band(axes, train, FAINT, shift=-0.5)
    draw_band(axes, validation, colour)
    label_ends(
        axes,
        [
            ("validation", validation[:, -1].mean(), colour),
            ("training", train[:, -1].mean(), FAINT),
        ],
    )
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean squared error")
    if len(fits) == 1 and fits[0].best_epoch is not None:
        mark_best(axes, fits[0].best_epoch, last, validation[0], colour)


def verdict_lines(fits):
    """What the learning curves of an arm say, as lines of text."""
    text = fits[0].sentence
    if len(fits) > 1:
        verdict = _report.verdict_in_words([fit.verdict for fit in fits], " in ")
        gap = _report.Spread.of(fit.gap for fit in fits).text(2)
        text = f"{verdict} seeds; gap after the last epoch {gap}"
    return textwrap.wrap(text[:1].upper() + text[1:], 70)


def write_verdict(axes, arm, verdict, lines):
    """The arm above its panel, and between them its verdict, in room for `lines`."""
    names = {"none": "Without a penalty", "l2": f"With L2, λ = {arm.l2:g}"}
    name = names.get(arm.name, f"With {arm.title}")
    room = LINE * lines
    colour = COLOURS.get(arm.name, INK)
    pad = 72 * (room + 0.15)
    axes.set_title(name, fontsize=14, fontweight="bold", color=colour, pad=pad)
    axes.text(
        0,
        1 + room / PANEL,
        "\n".join(verdict),
        transform=axes.transAxes,
        va="top",
        linespacing=1.4,
    )


def mark_best(axes, epoch, last, validation, colour):
    """A point at the best epoch, and its number at the foot of the panel."""
    height = validation[epoch]
    axes.plot([epoch] * 2, [0, height], color=colour, lw=1, ls=(0, (2, 3)))
    axes.plot(epoch, height, "o", ms=7.5, mfc="white", mec=colour, mew=2, zorder=5)
    side = 1 if epoch < 0.7 * last or last == 0 else -1
    axes.annotate(
        f"best epoch: {epoch}",
        (epoch, 0),
        xytext=(6 * side, 7),
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        color=colour,
    )


def draw_validation(axes, result, top):
    """Validation loss of every arm, and what the linear model reaches."""
    many = len(result.arms) > FEW
    axes.set_xlim(-0.5, max(result.epochs - 1, 1))
    ridge = np.mean([b.validation_loss for b in result.baselines if b.alpha])
    labels = [("RidgeCV", ridge, INK)]
    lowest = ridge
    for arm in result.arms:
        colour = COLOURS.get(arm.name, INK)
        values = curves(result, arm, "val_data_loss")
        if many:
            values = smoothed(values.mean(axis=0))[None]
        draw_band(axes, values, colour, width=1.6)
        labels.append((arm.name, values[:, -1].mean(), colour))
        lowest = np.nanmin(np.append(values.mean(axis=0), lowest))
    axes.axhline(ridge, color=INK, lw=1.2, ls=(0, (5, 3)), zorder=1)
    axes.set_ylim(max(0.0, lowest - 0.12), top)
    label_ends(axes, labels)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"mean squared error{f', mean of {EPOCHS} epochs' * many}")
    title = "Validation error of every arm, and of a linear model"
    axes.set_title(title, fontsize=11.5, fontweight="bold", pad=10)


def smoothed(curve):
    """Its means over `EPOCHS` epochs about each, fewer at the ends."""
    reach = EPOCHS // 2
    parts = (curve[max(0, k - reach) : k + reach + 1] for k in range(len(curve)))
    return np.array([part.mean() for part in parts])


def draw_ends(axes, result):
    """Training and validation loss at the end, one row per arm, and the gap."""
    table = [row for row in _report.table(result) if row.name != "mean"][::-1]
    for height, row in enumerate(table):
        colour = COLOURS.get(row.name, INK)
        train, validation = row.train_loss.mean, row.validation_loss.mean
        axes.plot([train, validation], [height] * 2, color=colour, lw=4, alpha=0.3)
        axes.plot(train, height, "o", ms=8, mfc="white", mec=FAINT, mew=1.8)
        axes.plot(validation, height, "o", ms=9, color=colour)
        axes.annotate(
            f"gap {row.gap.text(2)}",
            (max(train, validation), height),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            color=colour,
        )
    names = {"none": "no penalty", "ridge-cv": "RidgeCV"}
    labels = [names.get(row.name, row.title).replace(" + ", "\n+ ") for row in table]
    labels = [label.replace("tuned L2, ", "tuned L2,\n") for label in labels]
    axes.set_yticks(range(len(table)), labels, color=INK)
    axes.set_ylim(-0.6, len(table) - 0.4)
    highest = max(max(row.train_loss.mean, row.validation_loss.mean) for row in table)
    # Room on the right for the gap's number.
    room = 1.3 if len(result.seeds) == 1 else 1.5
    axes.set_xlim(0, room * highest if np.isfinite(highest) else None)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("mean squared error after training, dropout off")
    title = "From training (open) to validation (filled)"
    axes.set_title(title, fontsize=11.5, fontweight="bold", pad=10)


def write_heading(figure, result):
    """The headline above, and below what was computed with what."""
    split, seeds = result.splits[0], result.seeds
    spoken = f"seed {seeds[0]}"
    if len(seeds) > 1:
        spoken = f"seeds {seeds[0]} to {seeds[-1]}, mean ± standard deviation"
    heading(
        figure,
        "Overfitting on the diabetes data, and what weight decay does about it",
        f"A network of 6 × 128 units, {len(split.train.y)} patients to train on, "
        f"{len(split.validation.y)} to validate. Targets are standardised: predicting "
        "their mean has an error of about 1.",
        result,
        left=LEFT,
        seeds=spoken,
    )
