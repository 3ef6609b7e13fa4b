"""A result in numbers and words: the table, the sentences and the files."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from keras_decay.curves.data import rows
from keras_decay.experiments._drawing import save_figures
from keras_decay.experiments._output import RESULTS, finite
from keras_decay.experiments._tuning import FILES


@dataclass(frozen=True)
class Spread:
    """The mean over seeds, and the standard deviation if there are several."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values):
        values = np.array(list(values), dtype=float)
        if len(values) == 1:
            return cls(float(values[0]), None)
        # A fit that diverged leaves nothing finite to be said, which is no error.
        with np.errstate(invalid="ignore", over="ignore"):
            return cls(float(values.mean()), float(values.std(ddof=1)))

    def text(self, digits=3):
        """As "0.57", or "0.57 ± 0.04"."""
        if self.deviation is None:
            return f"{self.mean:.{digits}f}"
        return f"{self.mean:.{digits}f} ± {self.deviation:.{digits}f}"


@dataclass(frozen=True)
class Summary:
    """One row of the table. Losses are on the data alone, after the last epoch."""

    name: str
    title: str
    best_epoch: Spread | None
    train_loss: Spread
    validation_loss: Spread
    test_loss: Spread
    gap: Spread
    verdict: str


def table(result):
    """One `Summary` per arm, then one per baseline."""
    return [
        *(_summary(arm, fits_of(result, arm)) for arm in result.arms),
        *(_summary(group[0], group) for group in baseline_groups(result)),
    ]


def _summary(of, members):
    epochs = [getattr(member, "best_epoch", None) for member in members]
    verdicts = [member.verdict for member in members if hasattr(member, "verdict")]
    return Summary(
        name=of.name,
        title=of.title,
        best_epoch=None if None in epochs else Spread.of(epochs),
        **{
            name: Spread.of(getattr(member, name) for member in members)
            for name in ("train_loss", "validation_loss", "test_loss", "gap")
        },
        verdict=verdict_in_words(verdicts),
    )


def verdict_in_words(verdicts, link=" "):
    """The commonest verdict, with its count if there are several seeds."""
    if not verdicts:
        return ""
    verdict, count = Counter(verdicts).most_common(1)[0]
    return verdict if len(verdicts) == 1 else f"{verdict}{link}{count}/{len(verdicts)}"


def sentences(result):
    """One sentence per arm, with the arm's remark behind it."""
    lines = [result.tuning.sentence()] if result.tuning else []
    for arm in result.arms:
        fits = fits_of(result, arm)
        text = fits[0].sentence
        if len(fits) > 1:
            verdict = verdict_in_words([fit.verdict for fit in fits], link=" in ")
            text = f"{verdict} seeds; seed {fits[0].seed}: {text}"
        lines.append(
            f"{arm.name}: {text.rstrip('.')}. {stops(fits, result.epochs)}"
            f"{arm.remark}".strip()
        )
    return lines + article(result)


def stops(fits, epochs):
    """After how many epochs the fits stopped, if not all of them."""
    counts = [len(fit.rows) for fit in fits]
    if min(counts) == epochs:
        return ""
    few, many = min(counts), max(counts)
    span = f"{few}" if few == many else f"{few} to {many}"
    return f"Stopped after {span} of {epochs} epochs, weights of the best restored. "


def article(result):
    """A sentence on whose improvement that of the article is, if all arms are there."""
    losses = {row.name: row.validation_loss.mean for row in table(result)}
    names = ("l2-article", "dropout", "article")
    if not {"none", *names} <= set(losses):
        return []
    l2, dropout, both = (losses[name] - losses["none"] for name in names)
    # Of what both bring dropout alone brings most, and L2 alone next to nothing.
    if both < 0 and dropout < 0.75 * both and abs(l2) < 0.25 * abs(both):
        verdict = "the original script's improvement is the dropout's"
    else:
        verdict = "on so little, whose improvement it is cannot be told"
    return [
        f"Against no penalty validation error changes by {l2:+.2f} with L2 1e-5 alone, "
        f"by {dropout:+.2f} with dropout alone, by {both:+.2f} with both: {verdict}."
    ]


def fits_of(result, arm):
    """The fits of one arm, one per seed."""
    return [fit for fit in result.fits if fit.arm == arm.name]


def baseline_groups(result):
    """The baselines of each method, one per seed."""
    count = len(result.seeds)
    return [
        result.baselines[start : start + count]
        for start in range(0, len(result.baselines), count)
    ]


def curve_name(arm, seed, seeds):
    """The name of the file for the learning curve of one fit."""
    return f"curve-{arm}.jsonl" if len(seeds) == 1 else f"curve-{arm}-seed{seed}.jsonl"


def file_names(arms, seeds, tuned=False):
    """All names that `save` writes."""
    curves = [curve_name(arm.name, seed, seeds) for arm in arms for seed in seeds]
    return ["diabetes.png", "diabetes.svg", *FILES * tuned, RESULTS, *curves]


def names_of(result):
    """The names of the files of a result."""
    return file_names(result.arms, result.seeds, result.tuning is not None)


def as_json(result):
    """Everything but the curves, as JSON can hold it."""
    part_names = ("train", "validation", "test")
    return finite(
        {
            "experiment": "diabetes",
            "arguments": {
                "arms": [arm.name for arm in result.arms],
                "seeds": list(result.seeds),
                "epochs": result.epochs,
                "batch_size": result.batch_size,
                "device": result.device["asked"],
            },
            "device": {key: result.device[key] for key in ("kind", "name")},
            "backend": result.backend,
            "versions": result.versions,
            "seconds": result.seconds,
            "splits": [
                {
                    "seed": seed,
                    **{name: len(getattr(split, name).y) for name in part_names},
                    "target_mean": split.mean,
                    "target_scale": split.scale,
                }
                for seed, split in zip(result.seeds, result.splits, strict=True)
            ],
            "summary": [asdict(row) for row in table(result)],
            "arms": [
                {
                    **asdict(arm),
                    "fits": [_fit(fit, result) for fit in fits_of(result, arm)],
                }
                for arm in result.arms
            ],
            "baselines": [{**asdict(b), "gap": b.gap} for b in result.baselines],
            "sentences": sentences(result),
            "tuning": result.tuning and result.tuning.as_json(),
            "files": names_of(result),
        }
    )


def _fit(fit, result):
    fields = {key: value for key, value in vars(fit).items() if key != "rows"}
    curve = curve_name(fit.arm, fit.seed, result.seeds)
    return {**fields, "gap": fit.gap, "curve": curve}


def save(result, folder):
    """Writes every file of `result` into `folder`; returns the paths."""
    folder = Path(folder).expanduser()
    figures = {"diabetes": result.draw()}
    if result.tuning is not None:
        figures["diabetes-tuning"] = result.tuning.draw()
    save_figures(figures, folder, salt="diabetes")
    for fit in result.fits:
        rows.rewrite(folder / curve_name(fit.arm, fit.seed, result.seeds), fit.rows)
    text = json.dumps(as_json(result), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / RESULTS).write_text(text + "\n", encoding="utf-8")
    return [folder / name for name in names_of(result)]
