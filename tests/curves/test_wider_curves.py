"""Verdicts on short and varied trainings, and on curves that other people published.

LABELS.md has the rule of the labels, docs/verdicts.md the tables.
"""

import math

import pytest
import wider_data
import wider_labelling
import wider_table

from keras_decay.curves import diagnose


def test_the_labels_follow_from_the_truth_by_the_rule():
    content = wider_table.CONTENT
    assert tuple(content["truth"]) == wider_labelling.TRUTH
    for one in content["curves"]:
        truth = wider_table.truth_of(one)
        assert len(one["curve"]["val_loss"]) == truth["shown"] == one["epochs"]
        assert list(wider_labelling.labels_of(truth)) == one["label"], one["data"]


def test_the_set_is_what_it_says():
    curves = wider_table.CONTENT["curves"]
    left_out = wider_table.CONTENT["left_out"]
    assert left_out <= 0.1 * (left_out + len(curves))
    assert wider_table.FILE.stat().st_size < 1_500_000
    for part, found in wider_table.parts().items():
        assert {wider_data.TASKS[one["data"]].kind for one in found} == {
            "table",
            "image",
            "sequence",
            "text",
        }, part
        assert {one["epochs"] for one in found} == {5, 8, 12, 20, 50}
        assert min(one["validation"] for one in found) == 20
        assert max(one["validation"] for one in found) == 2000


def test_no_task_is_in_both_parts():
    names = [{one["data"] for one in curves} for curves in wider_table.parts().values()]
    assert not names[0] & names[1]


@pytest.mark.slow
def test_the_tables_in_the_documents_are_those_of_the_code():
    assert wider_table.tables() in wider_table.PAGE.read_text()


def test_an_interval():
    """Oracle: 1 − 0.025^(1/n), the "rule of three" with 2.5 % on each side."""
    assert wider_table.interval(20, 20) == f"{100 * 0.025 ** (1 / 20):.0f}-100 %"
    assert wider_table.interval(0, 20) == f"0-{100 * (1 - 0.025 ** (1 / 20)):.0f} %"


TRUTH = {
    "shown": 20,
    "end": 1.0,
    "best": 1.0,
    "rise": 0.0,
    "error": 0.001,
    "spread": 0.04,
    "wander": 0.04,
    "later": 1.0,
    "ahead": 1.0,
    "train_last": 0.3,
    "train_end": 0.3,
    "train_when": 0.4,
    "constant_train": 1.0,
    "constant_test": 2.0,
    "reachable": 1.0,
    "validation": 500,
}
RISEN = {"end": 1.04, "rise": 0.04, "later": 1.04}


@pytest.mark.parametrize(
    ("changed", "labels"),
    [
        ({}, ("good fit",)),
        ({"train_last": 1.5}, ("diverged",)),
        ({"train_last": math.nan}, ("diverged",)),
        (RISEN, ("overfitting",)),
        (RISEN | {"rise": 0.029, "end": 1.029, "ahead": 1.029}, ("good fit",)),
        (RISEN | {"error": 0.03}, ()),
        (RISEN | {"later": 1.02}, ()),
        (RISEN | {"train_end": 0.5}, ()),
        (RISEN | {"spread": 1.0}, ("overfitting", "inconclusive")),
        ({"ahead": 0.93}, ("improving",)),
        ({"ahead": 0.95}, ("improving", "good fit")),
        ({"ahead": 0.97}, ("good fit", "improving")),
        ({"reachable": 0.1, "constant_test": 1.2}, ("underfitting",)),
        ({"reachable": 0.5, "constant_test": 1.3}, ("good fit", "underfitting")),
        ({"wander": 1.0}, ("good fit", "inconclusive")),
    ],
    ids=str,
)
def test_the_rule(changed, labels):
    """Oracle: LABELS.md, line by line."""
    assert wider_labelling.labels_of(TRUTH | changed) == labels


def test_public_curves():
    """Labels by a person; the numbers reached may not become worse."""
    judged = [wider_table.Judged(one) for one in wider_table.public()]
    wrong = [one.one["data"] for one in judged if not one.right]
    assert len(judged) == 16
    assert len(wrong) <= 2, wrong
    assert not any(one.accused for one in judged if one.is_healthy)
    assert all(one.accused for one in judged if one.labels == ["overfitting"])


def test_no_forecast_passes_what_is_possible():
    for one in wider_table.public():
        told = str(diagnose(one["curve"]))
        if "would bring" in told:
            assert float(told.split("would bring ")[1].split(" %")[0]) < 100
