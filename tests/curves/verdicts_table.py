"""Writes the tables of docs/verdicts.md: `python tests/curves/verdicts_table.py`.

What `diagnose` says of the labelled curves, against their labels.
"""

import json
import re
from collections import Counter
from pathlib import Path

from labelled_data import RECORDED

from keras_decay.curves import diagnose

PAGE = Path(__file__).parents[2] / "docs" / "verdicts.md"
FILE = Path(__file__).with_name("labelled_curves.json")
VERDICTS = (
    "underfitting",
    "improving",
    "good fit",
    "overfitting",
    "diverged",
    "inconclusive",
)


def labelled():
    """part: its curves, each a dict with `label` and `curve`."""
    curves = json.loads(FILE.read_text())["curves"]
    return {
        part: [one for one in curves if one["data"] in sets and one["seed"] in seeds]
        for part, (sets, seeds) in RECORDED.items()
    }


def columns_of(one):
    """The curve under the names of a history."""
    names = {"data_loss": "loss", "val_data_loss": "val_loss"}
    return {names[name]: values for name, values in one["curve"].items()}


def confusion(curves):
    """How often each label met each verdict."""
    return Counter((one["label"], diagnose(one["curve"]).verdict) for one in curves)


def right(counts):
    """The number of right verdicts, and that of all."""
    return sum(counts[word, word] for word in VERDICTS), sum(counts.values())


def table(part, counts):
    """The confusion table of one part, as Markdown."""
    rights, total = right(counts)
    lines = [
        f"### {part[0].upper() + part[1:]}: {rights} of {total} right, "
        f"{100 * rights / total:.0f} %",
        "",
        "| label | " + " | ".join(VERDICTS) + " |",
        "|---" * (len(VERDICTS) + 1) + "|",
    ]
    for label in VERDICTS:
        cells = [str(counts[label, verdict] or "") for verdict in VERDICTS]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def tables():
    """All of them."""
    parts = labelled().items()
    return "\n".join(table(part, confusion(curves)) for part, curves in parts)


def main():
    begin, end = "<!-- tables -->\n", "<!-- end of tables -->"
    text = PAGE.read_text()
    new = f"{begin}\n{tables()}\n{end}"
    PAGE.write_text(re.sub(f"{begin}.*{end}", lambda _: new, text, flags=re.S))


if __name__ == "__main__":
    main()
