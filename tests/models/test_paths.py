"""Patterns and the paths they decide for."""

import pickle

import pytest

from keras_decay.models import (
    RuleMatchesNothing,
    decays_by_default,
    first_matches,
    matches,
    pattern,
)

PATHS = ["a/kernel", "a/bias", "b/kernel"]


def test_the_first_pattern_that_is_found_decides():
    assert first_matches(["a/", "kernel"], PATHS) == [0, 0, 1]
    assert first_matches(["bias"], PATHS) == [None, 0, None]
    assert first_matches([], PATHS) == [None] * 3


@pytest.mark.parametrize(
    ("patterns", "reason"),
    [
        (["c/"], "'c/' matches no variable"),
        (["kernel", "a/k"], "'a/k' matches only variables that earlier rules decide"),
    ],
)
def test_a_pattern_that_decides_nothing_is_an_error_of_its_own(patterns, reason):
    with pytest.raises(RuleMatchesNothing) as raised:
        first_matches(patterns, PATHS)
    error = raised.value
    assert isinstance(error, ValueError)
    assert reason in error.sentence and "\n" not in error.sentence
    assert str(error) == (
        f"{error.sentence}. The trainable variables are:"
        "\n  a/kernel\n  a/bias\n  b/kernel"
    )


def test_the_error_can_be_asked_for():
    chosen, error = matches(["kernel", "c/"], PATHS)
    assert chosen == [0, None, 0]
    assert isinstance(error, RuleMatchesNothing)
    assert matches(["kernel"], PATHS) == ([0, None, 0], None)


def test_the_error_survives_pickling():
    _, error = matches(["c/"], PATHS)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is RuleMatchesNothing
    assert (str(again), again.sentence) == (str(error), error.sentence)


@pytest.mark.parametrize(
    ("path", "rank", "decays"),
    [
        ("dense/kernel", 2, True),
        ("dense/kernel", 1, False),
        ("attention/query/bias", 2, False),
        ("norm/gamma", 2, False),
        ("norm/moving_mean", 2, False),
        ("gamma/kernel", 2, True),
    ],
)
def test_kernels_decay_by_default(path, rank, decays):
    assert decays_by_default(path, rank) is decays


def test_a_pattern_must_be_a_regular_expression():
    assert pattern("rules[0][0]", "a.*b") == "a.*b"
    with pytest.raises(ValueError, match=r"`rules\[0\]\[0\]` must be a regular"):
        pattern("rules[0][0]", "(")
    with pytest.raises(TypeError, match=r"`rules\[0\]\[0\]` must be a regular"):
        pattern("rules[0][0]", 3)
