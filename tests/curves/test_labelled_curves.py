"""Verdicts on curves of real trainings, labelled by what `diagnose` does not see.

LABELS.md has the rule of the labels, docs/verdicts.md the tables.
"""

import json
import re
from collections import Counter
from pathlib import Path

import labelled_data
import labelling
import pytest
import verdicts_table

CONTENT = json.loads(verdicts_table.FILE.read_text())
PARTS = verdicts_table.labelled()


@pytest.fixture(scope="module")
def counts():
    return {part: verdicts_table.confusion(curves) for part, curves in PARTS.items()}


def test_the_labels_follow_from_the_truth_by_the_rule():
    for curve in CONTENT["curves"]:
        truth = dict(zip(CONTENT["truth"], curve["truth"], strict=True))
        assert tuple(CONTENT["truth"]) == labelling.TRUTH
        assert len(curve["curve"]["val_data_loss"]) == truth["shown"]
        assert labelling.label_of(truth) == curve["label"], curve["arm"]


def test_the_set_is_what_it_says():
    assert sum(map(len, PARTS.values())) == len(CONTENT["curves"]) >= 40
    assert verdicts_table.FILE.stat().st_size < 300_000
    for part, curves in PARTS.items():
        labels = Counter(curve["label"] for curve in curves)
        assert set(labels) == set(verdicts_table.VERDICTS), part
        assert min(labels.values()) >= 3


def test_no_part_shares_anything_with_another():
    """Nor with the earlier parts, which LABELS.md tells of and the file leaves out."""
    text = Path(__file__).with_name("LABELS.md").read_text()
    rows = re.findall(
        r"^\| ((?:held out|to tune on).*?) \| (.*?) \| (.*?) \|", text, re.M
    )
    told = {
        part: (tuple(sets.split(", ")), tuple(map(int, seeds.split(", "))))
        for part, sets, seeds in rows
    }
    assert len(told) == len(rows) == 8
    assert told.items() >= labelled_data.RECORDED.items()
    assert list(told)[-4:] == list(PARTS)
    for column in (0, 1):
        entries = [entry for part in told.values() for entry in part[column]]
        assert len(entries) == len(set(entries))


def test_the_tables_in_the_documents_are_those_of_the_code():
    page = verdicts_table.PAGE.read_text()
    assert verdicts_table.tables() in page
    assert str(len(CONTENT["curves"])) in page


# The validation loss of these rises by 15 % and more, that of the test rows by less: on
# proline and flavanoids with 50 validation rows, on bmi with 120.
ACCUSED = {"held out third": 2, "held out fifth": 3}


def test_good_fits_are_seldom_called_overfitting(counts):
    for part, table in counts.items():
        wrong = table["good fit", "overfitting"] + table["improving", "overfitting"]
        assert wrong <= ACCUSED.get(part, 0), part


def test_what_was_reached_on_the_part_held_out(counts):
    """At least 90 %; what is reached is 95 of 102, and may not become less."""
    rights, total = verdicts_table.right(counts["held out"])
    assert total == 102
    assert rights >= 95 > 0.9 * total


@pytest.mark.parametrize(
    ("changed", "label"),
    [
        ({}, "good fit"),
        ({"shown": 4}, "inconclusive"),
        ({"train_last": 1.5}, "diverged"),
        ({"train_last": float("nan")}, "diverged"),
        ({"end": 1.15, "later": 1.15}, "overfitting"),
        ({"end": 1.15, "later": 1.14}, None),
        ({"end": 1.15, "later": 1.15, "train_end": 0.4}, None),
        ({"ahead": 0.95}, "improving"),
        ({"ahead": 0.97}, None),
        ({"reachable": 0.1, "constant_test": 1.2}, "underfitting"),
        ({"reachable": 0.5, "constant_test": 2.0}, None),
    ],
    ids=str,
)
def test_the_rule(changed, label):
    """Oracle: LABELS.md, line by line."""
    truth = {
        "shown": 50,
        "end": 1.0,
        "best": 1.0,
        "later": 1.0,
        "ahead": 1.0,
        "train_last": 0.3,
        "train_end": 0.3,
        "train_when": 0.4,
        "reachable": 1.0,
        "constant_train": 1.0,
        "constant_test": 2.0,
    }
    assert labelling.label_of(truth | changed) == label


def test_what_is_measured():
    """Oracle: by hand, with levels over b = 2 epochs of the 20 shown."""
    test = [*range(20, 10, -1), *range(12, 22), *[30.0] * 9, 10.0]
    truth = labelling.truth_of([100.0 - t for t in range(30)], test, 20)
    assert truth == {
        "shown": 20,
        "end": 20.5,
        # The levels of epochs 8 and 9, and of 9 and 10, are equal: the first counts.
        "best": 11.5,
        "later": 28.0,
        "ahead": 20.0,
        "train_last": 81.0,
        "train_end": 81.5,
        "train_when": 91.5,
    }
