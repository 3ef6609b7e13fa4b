"""Checks of arguments: what they return, and what they say."""

import re
from pathlib import Path

import numpy as np
import pytest

from keras_decay.ground import validation


def test_a_choice_is_returned_as_it_is():
    assert validation.choice("live", True, ("auto", True)) is True
    assert validation.choice("norm", "l2", {"l1": 1, "l2": 2}) == "l2"


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        ("l3", ("l1", "l2"), "`a` must be one of 'l1', 'l2'. Received: a='l3'"),
        (None, ("l1", "l2"), "`a` must be one of 'l1', 'l2'. Received: a=None"),
        (1, ("auto", True), "`a` must be one of 'auto', True. Received: a=1"),
        (["l1"], ("l1",), "`a` must be one of 'l1'. Received: a=['l1']"),
    ],
)
def test_another_value_is_named_with_the_options(value, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        validation.choice("a", value, options)


def test_without_options_nothing_is_a_choice():
    message = "`a` must be one of none. Received: a='x'. Ask for it."
    with pytest.raises(ValueError, match=re.escape(message)):
        validation.choice("a", "x", [], "Ask for it.")


def test_an_array_is_no_choice():
    with pytest.raises(ValueError, match="`a` must be one of 'l1'"):
        validation.choice("a", np.array(["l1", "l2"]), ("l1", "l2"))


def test_a_path_may_be_a_text_or_a_path():
    assert validation.path("path", "a/b.txt") == Path("a/b.txt")
    assert validation.path("path", Path("a")) == Path("a")
    assert validation.path("path", "~/a") == Path.home() / "a"


@pytest.mark.parametrize("value", [3, None, b"a", ["a"]])
def test_another_value_is_no_path(value):
    with pytest.raises(TypeError, match=r"`path` must be a path\. Received: path="):
        validation.path("path", value)
    with pytest.raises(TypeError, match=r"`path` must be a folder or None\. Received"):
        validation.path("path", value, must="a folder or None")
