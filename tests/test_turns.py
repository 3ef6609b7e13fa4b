"""Slow tests by turns: each test has a backend, and one that ran nowhere is listed."""

from types import SimpleNamespace

import pytest
import turns

BACKENDS = ("tensorflow", "jax", "torch")


def item(name, *marks):
    """A test as pytest hands it to its hooks."""
    return SimpleNamespace(
        nodeid=name, get_closest_marker=lambda mark: mark if mark in marks else None
    )


def homes(monkeypatch, test, by_turns):
    found = []
    for backend in BACKENDS:
        monkeypatch.setenv("KERAS_BACKEND", backend)
        if turns.runs_here(test, by_turns):
            found.append(backend)
    return found


@pytest.mark.parametrize(
    "marks, expected",
    [
        ([], BACKENDS),
        (["once"], ("tensorflow",)),
        (["slow", "each"], BACKENDS),
        (["slow", "skipif"], BACKENDS),
        (["slow", "once"], ("torch",)),
    ],
)
def test_marks_say_where_a_test_runs(marks, expected, monkeypatch):
    assert homes(monkeypatch, item("a", *marks), True) == [*expected]


def test_each_slow_test_runs_on_one_backend_and_each_backend_has_some(monkeypatch):
    found = [homes(monkeypatch, item(f"a[{i}]", "slow"), True) for i in range(60)]
    assert {len(backends) for backends in found} == {1}
    assert {backends[0] for backends in found} == {*BACKENDS}
    assert homes(monkeypatch, item("a", "slow"), False) == [*BACKENDS]


def test_what_ran_on_no_backend_is_listed(tmp_path, monkeypatch):
    def report(name, **how):
        return SimpleNamespace(
            **{"nodeid": name, "when": "call", "failed": False} | how
        )

    for backend in ("jax", "torch"):
        monkeypatch.setenv("KERAS_BACKEND", backend)
        record = turns.Record(tmp_path)
        record.collected([item(name, "slow") for name in "abcd"])
        record.collected([item("quick"), item("long", "slow", "full")])
        ran = "a" if backend == "jax" else "b"
        record.pytest_runtest_logreport(report(ran))
        record.pytest_runtest_logreport(report("c", when="setup"))
        record.pytest_runtest_logreport(report("d", failed=True))
    assert turns.ran_nowhere(tmp_path) == ["c", "d"]
