"""The figures of the experiment `which-decay`."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from keras_decay.experiments._drawing import STYLE, heading
from keras_decay.ground.looks import BLUE, FAINT, GREEN, INK, ORANGE

COLOURS = {"best": BLUE, "not significant": GREEN, "worse": ORANGE}
LABELS = {
    "best": "lowest mean",
    "not significant": "not significantly different from it",
    "worse": "significantly worse",
}
OF_PROBLEM = {"digits": ORANGE, "diabetes": BLUE}


def draw_losses(found, titles):
    """The test losses of every form, with the best on top."""
    of_problem = found.numbers["losses"]
    width, height = 2.1 + 4.7 * len(of_problem), 2.5 + 0.42 * len(titles)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(max(width, 9), height))
        width = figure.get_figwidth()
        grid = figure.add_gridspec(
            1,
            len(of_problem),
            left=1.95 / width,
            right=1 - 0.3 / width,
            top=1 - 1.55 / height,
            bottom=0.9 / height,
            wspace=0.5,
        )
        for column, (name, of_form) in enumerate(of_problem.items()):
            axes = figure.add_subplot(grid[column])
            _draw_problem(axes, of_form, found.numbers["comparisons"][name], titles)
            axes.set_title(name, fontweight="bold")
            axes.set_xlabel("loss on the test rows, without the penalty")
        handles = [
            Line2D([], [], color=COLOURS[words], marker="o", lw=2) for words in LABELS
        ]
        figure.legend(
            handles,
            list(LABELS.values()),
            loc="upper left",
            bbox_to_anchor=(0.25 / width, 1 - 0.82 / height),
            ncols=3,
            frameon=False,
        )
        heading(
            figure,
            _title(found),
            "Adam with each form of decay, its λ chosen on validation rows. Faint: "
            "splits; mean ± standard error.",
            found,
            left=0.35 / width,
        )
    return figure


def _title(found):
    counts = []
    for name, of_form in found.numbers["comparisons"].items():
        words = [each["words"] for each in of_form.values()]
        alike = words.count("not significant")
        counts.append(f"{alike} of {len(words) - 1} on {name}")
    return f"Which decay? Tied with the best: {', '.join(counts)}"


def _draw_problem(axes, of_form, comparison, titles):
    names = sorted(of_form, key=lambda name: of_form[name]["test"].mean())
    for place, name in enumerate(names):
        test = of_form[name]["test"]
        colour = COLOURS[comparison[name]["words"]]
        axes.plot(test, np.full(len(test), place), "o", ms=4, color=colour, alpha=0.25)
        axes.errorbar(
            test.mean(),
            place,
            xerr=test.std(ddof=1) / np.sqrt(len(test)),
            fmt="o",
            ms=7,
            lw=2.2,
            color=colour,
        )
    axes.axvline(of_form[names[0]]["test"].mean(), color=FAINT, lw=1, ls=(0, (4, 3)))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), [titles[name] for name in names])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(visible=False, axis="y")


def draw_strengths(found, titles):
    """The validation loss against λ, in parts of that without decay."""
    names = [name for name in titles if name != "none"]
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    width, height = 0.9 + 2.75 * columns, 2.1 + 2.5 * rows
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(max(width, 8.5), height))
        width = figure.get_figwidth()
        grid = figure.add_gridspec(
            rows,
            columns,
            left=0.75 / width,
            right=1 - 0.25 / width,
            top=1 - 1.5 / height,
            bottom=0.9 / height,
            wspace=0.12,
            hspace=0.55,
        )
        for number, name in enumerate(names):
            axes = figure.add_subplot(grid[divmod(number, columns)])
            for problem, of_form in found.numbers["losses"].items():
                _draw_curve(axes, of_form, name, problem)
            axes.axhline(1, color=FAINT, lw=1, ls=(0, (4, 3)))
            axes.set_xscale("log")
            axes.set_ylim(0.5, 1.6)
            axes.set_title(titles[name], fontsize=11)
            if number % columns == 0:
                axes.set_ylabel("validation loss / without")
            else:
                axes.set_yticklabels([])
            if number + columns >= len(names):
                axes.set_xlabel("λ")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(0.25 / width, 1 - 0.82 / height),
            ncols=3,
            frameon=False,
        )
        heading(
            figure,
            "What each λ does",
            "Loss on validation rows by that without decay on the same split: mean and "
            "one standard error.",
            found,
            left=0.35 / width,
        )
    return figure


def _draw_curve(axes, of_form, name, problem):
    own = of_form[name]
    ratios = own["validation_losses"] / of_form["none"]["validation_losses"]
    ratios = np.where(np.isfinite(ratios), ratios, np.inf)
    mean = ratios.mean(axis=1)
    error = ratios.std(axis=1, ddof=1) / np.sqrt(ratios.shape[1])
    colour = OF_PROBLEM[problem]
    axes.plot(own["strengths"], mean, "-o", ms=4, color=colour, label=problem)
    low, high = mean - error, mean + error
    axes.fill_between(own["strengths"], low, high, color=colour, alpha=0.18, lw=0)
