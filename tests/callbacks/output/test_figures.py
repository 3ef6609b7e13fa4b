"""The figure files: complete, on time, and never in the way of training."""

import pytest

from keras_decay.callbacks import LearningCurve
from keras_decay.callbacks.output import figures as _figures
from keras_decay.callbacks.output import throttle as _throttle

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def test_every_format_is_drawn_at_the_end(build, data, tmp_path):
    paths = [tmp_path / f"new/run{extension}" for extension in STARTS]
    curve = LearningCurve(figure=paths)
    build().fit(*data, epochs=2, verbose=0, callbacks=[curve])
    for path in paths:
        assert path.read_bytes().startswith(STARTS[path.suffix])
    # Nothing else: the temporary files are gone.
    assert sorted(path.parent.iterdir()) == sorted(paths)


@pytest.mark.slow
def test_a_figure_that_fails_does_not_cost_the_training(
    build, data, tmp_path, monkeypatch
):
    def fail(rows):
        raise OSError("disk full")

    monkeypatch.setattr(_figures._drawing, "draw", fail)
    curve = LearningCurve(figure=tmp_path / "run.png")
    with pytest.warns(UserWarning, match="disk full"):
        build().fit(*data, epochs=2, verbose=0, callbacks=[curve])
    assert len(curve.rows) == 2


class Clock:
    """A clock that stands still unless told otherwise."""

    now = 0.0

    def __call__(self):
        return self.now


def test_the_throttle_keeps_its_share():
    """Oracle: the time spent over the time elapsed, whatever a job takes."""
    clock = Clock()
    throttle = _throttle.Throttle(0.02, first=1.0, clock=clock)
    spent, count = 0.0, 0

    def job():
        nonlocal spent, count
        spent += 0.5
        count += 1
        clock.now += 0.5

    for _ in range(1000):
        clock.now += 1.0
        if throttle.allows():
            throttle.run(job)
        assert spent <= 0.02 * clock.now
    assert count >= 30


def test_drawn_every_so_many_epochs(tmp_path, monkeypatch):
    figures = _figures.Figures(tmp_path / "run.png", every=3)
    figures.start()
    monkeypatch.setattr(figures._throttle, "allows", lambda: True)
    drawn = []
    monkeypatch.setattr(figures, "_draw", lambda rows: drawn.append(len(rows)))
    rows = []
    for _ in range(7):
        rows.append({})
        figures.epoch(len(rows), lambda: rows)
    figures.finish(rows)
    assert drawn == [3, 6, 7]


def test_the_throttle_is_asked(tmp_path, monkeypatch):
    figures = _figures.Figures(tmp_path / "run.png", every=1)
    figures.start()
    monkeypatch.setattr(figures, "_draw", lambda rows: pytest.fail("too early"))
    figures.epoch(1, lambda: [{}])
