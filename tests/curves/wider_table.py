"""Writes the tables of the wider and the public curves into docs/verdicts.md.

`python tests/curves/wider_table.py` judges each curve and holds the verdict against its
label; with `--figure` it draws the reliability of `confidence`, too.
"""

import argparse
import json
import re
from pathlib import Path

import wider_data
from scipy.stats import beta

from keras_decay.curves import diagnose
from keras_decay.curves.data import columns
from keras_decay.curves.verdict import phases, smoothed
from keras_decay.curves.verdict.case import Case
from keras_decay.curves.verdict.words import Words

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "verdicts.md"
FIGURE = PAGE.with_name("reliability.png")
FILE, PUBLIC = HERE / "wider_curves.json", HERE / "public_curves.json"
CONTENT = json.loads(FILE.read_text()) if FILE.exists() else {"curves": []}
SURE = 0.8


def parts():
    """part: its curves, each a dict with `label` and `curve`."""
    found: dict = {wider_data.TO_CHOOSE: [], wider_data.HELD_OUT: []}
    for one in CONTENT["curves"]:
        found[wider_data.part_of(one["data"])].append(one)
    return found


def public():
    """Curves that other people published, with a person's labels."""
    return json.loads(PUBLIC.read_text())


def truth_of(one):
    return dict(zip(CONTENT["truth"], one["truth"], strict=True))


def case_of(curve):
    """What the rules look at, of a dict of lists."""
    rows = columns.as_run(curve)
    losses = (columns.series(rows, name) for name in ("loss", "val_loss"))
    both = smoothed.Curves.of(*losses, columns.names(rows))
    return Case.of(both, phases.phases(rows), Words(exponent=both.exponent), None)


class Judged:
    """A labelled curve, and what `diagnose` says of it."""

    def __init__(self, one, knows_rows=False):
        rows = one.get("validation") if knows_rows else None
        found = diagnose(one["curve"], n_validation=rows)
        self.one, self.labels = one, one["label"]
        self.verdict, self.confidence = found.verdict, found.confidence
        self.right = found.verdict in self.labels
        self.strictly = found.verdict == self.labels[0]
        self.overfits = self.labels[0] == "overfitting"
        self.accused = found.verdict == "overfitting"

    @property
    def is_healthy(self):
        """Whether overfitting is no right verdict."""
        return "overfitting" not in self.labels


def interval(right, total):
    """Clopper and Pearson's 95 % interval of a share, in percent."""
    low = beta.ppf(0.025, right, total - right + 1) if right else 0.0
    high = beta.ppf(0.975, right + 1, total - right) if right < total else 1.0
    return f"{100 * low:.0f}-{100 * high:.0f} %"


def share(right, total):
    if not total:
        return "-"
    return f"{right} of {total}, {100 * right / total:.0f} % ({interval(right, total)})"


def numbers(judged):
    """The numbers of one line: right, strictly right, found, accused."""
    healthy = [one for one in judged if one.is_healthy]
    ill = [one for one in judged if one.overfits]
    return [
        share(sum(one.right for one in judged), len(judged)),
        share(sum(one.strictly for one in judged), len(judged)),
        share(sum(one.accused for one in ill), len(ill)),
        share(sum(one.accused for one in healthy), len(healthy)),
    ]


def table(groups):
    """One line for each group of judged curves, as Markdown."""
    head = (
        "curves",
        "right",
        "by the first label alone",
        "overfitting found",
        "healthy called overfitting",
    )
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, judged in groups.items():
        if judged:
            lines.append("| " + " | ".join([name, *numbers(judged)]) + " |")
    return "\n".join(lines) + "\n"


def grouped(judged):
    """By kind, by the number of evaluations, and by that of validation rows."""
    groups = {"all": judged}
    for kind in ("table", "image", "sequence", "text"):
        groups[kind] = [
            one for one in judged if wider_data.TASKS[one.one["data"]].kind == kind
        ]
    for length in (5, 8, 12, 20, 50):
        groups[f"{length} evaluations"] = [
            one for one in judged if one.one["epochs"] == length
        ]
    for low, high in ((20, 50), (100, 200), (500, 2000)):
        groups[f"{low} to {high} rows"] = [
            one for one in judged if low <= one.one["validation"] <= high
        ]
    return groups


def judged_parts(knows_rows=False):
    return {
        name: [Judged(one, knows_rows) for one in curves]
        for name, curves in parts().items()
    }


def believed(judged):
    """Curves of which it is known whether they overfit, and a confidence told."""
    return [one for one in judged if one.confidence is not None and is_told(one)]


def is_told(one):
    return one.verdict != "inconclusive"


def is_right(one):
    """Whether "overfits" or "does not" is right."""
    return one.accused == one.overfits


def reliability(judged):
    """A table of how often "overfits" or "does not" is right, by confidence."""
    lines = ["| confidence | mean | right |", "|---|---|---|"]
    for low, high in ((0.5, 0.65), (0.65, 0.8), (0.8, 0.95), (0.95, 1.0)):
        inside = [
            one
            for one in believed(judged)
            if low <= one.confidence < high or one.confidence == high == 1
        ]
        if inside:
            mean = sum(one.confidence for one in inside) / len(inside)
            right = share(sum(map(is_right, inside)), len(inside))
            lines.append(f"| {low} to {high} | {mean:.2f} | {right} |")
    sure = [one for one in believed(judged) if one.confidence >= SURE]
    lines.append(f"| {SURE} or more | | {share(sum(map(is_right, sure)), len(sure))} |")
    return "\n".join(lines) + "\n"


def tables():
    """All of them."""
    found = []
    for knows_rows, told in ((False, ""), (True, ", `n_validation` given")):
        for name, judged in judged_parts(knows_rows).items():
            groups = grouped(judged) if not knows_rows else {"all": judged}
            title = f"### Wider curves, {name}{told}"
            found.append(f"{title}\n\n{table(groups)}")
    others = [Judged(one) for one in public()]
    found.append(f"### Public curves\n\n{table({'all': others})}")
    for name, judged in judged_parts().items():
        found.append(f"### Confidence, {name}\n\n{reliability(judged)}")
    return "\n".join(found)


def draw(judged):
    """The reliability of `confidence`: said against true, with intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0.5, 1], [0.5, 1], color="0.6", linewidth=1, label="as it should be")
    for (name, curves), marker, shift in zip(
        judged.items(), "os", (-0.004, 0.004), strict=True
    ):
        told = sorted(believed(curves), key=lambda one: one.confidence)
        size = max(1, -(-len(told) // 6))
        for start in range(0, len(told), size):
            block = told[start : start + size]
            right, total = sum(map(is_right, block)), len(block)
            said = sum(one.confidence for one in block) / total
            low = beta.ppf(0.025, right, total - right + 1) if right else 0
            high = beta.ppf(0.975, right + 1, total - right) if right < total else 1
            colour = {"o": "tab:blue", "s": "tab:orange"}[marker]
            axes.plot([said + shift] * 2, [low, high], color=colour, linewidth=1)
            axes.plot(
                said + shift,
                right / total,
                marker,
                color=colour,
                label=name if start == 0 else None,
            )
    axes.set_xlabel("confidence")
    axes.set_ylabel('share in which "overfits" or "does not" is right')
    axes.legend(loc="lower right")
    figure.savefig(FIGURE, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", action="store_true")
    parser.add_argument("--show", action="store_true", help="print what is wrong")
    parser.add_argument("--part", help="print this part alone, and write nothing")
    given = parser.parse_args()
    if given.part:
        judged = [Judged(one) for one in parts()[given.part]]
        print(table(grouped(judged)), reliability(judged), sep="\n")
        for one in judged if given.show else ():
            if not one.right:
                known = {
                    key: one.one[key]
                    for key in ("data", "regime", "epochs", "validation")
                }
                print(known, one.labels, one.verdict, one.confidence)
        return
    begin, end = "<!-- wider tables -->\n", "<!-- end of wider tables -->"
    text, new = PAGE.read_text(), f"{begin}\n{tables()}\n{end}"
    PAGE.write_text(re.sub(f"{begin}.*{end}", lambda _: new, text, flags=re.S))
    if given.figure:
        draw(judged_parts())


if __name__ == "__main__":
    main()
