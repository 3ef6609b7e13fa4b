"""The figure files: complete, on time, and never in the way of training."""

import keras
import pytest

from keras_decay.callbacks import LearningCurve
from keras_decay.callbacks.output import figures as _figures
from keras_decay.callbacks.output import throttle as _throttle
from keras_decay.curves.draw import drawing

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
    def fail(rows, remark):
        raise OSError("disk full")

    monkeypatch.setattr(_figures.drawing, "draw", fail)
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
    monkeypatch.setattr(
        figures, "_draw", lambda rows, remark="": drawn.append((len(rows), remark))
    )
    rows = []
    for epoch in range(10, 17):
        rows.append({})
        figures.epoch(len(rows), epoch, lambda: rows)
    figures.finish(rows)
    # A figure that is older than the rows says so.
    older = "Drawn after epoch {}, while training went on."
    assert drawn == [(3, older.format(12)), (6, older.format(15)), (7, "")]


def test_the_remark_of_a_figure_is_among_its_words():
    rows = [{"epoch": e, "loss": 1.0 / (e + 1)} for e in range(9)]
    words = {
        remark: " ".join(
            text.get_text() for text in drawing.draw(rows, remark=remark).texts
        )
        for remark in ("", "Drawn after epoch 8.")
    }
    assert "Drawn after epoch 8." in " ".join(words["Drawn after epoch 8."].split())
    assert "Drawn" not in words[""]


def test_an_interrupt_in_a_step_draws_the_figure(build, data, tmp_path):
    """In a step, not in a callback: there Keras tells nobody."""
    model, path = build(run_eagerly=True), tmp_path / "run.svg"

    class Interrupts(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.apply = self.interrupt

        def interrupt(self, *args, **kwargs):
            raise KeyboardInterrupt

    curve = LearningCurve(figure=path)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, epochs=4, verbose=0, callbacks=[curve, Interrupts()])
    assert len(curve.rows) == 2 and path.stat().st_size > 1000


def test_the_throttle_is_asked(tmp_path, monkeypatch):
    figures = _figures.Figures(tmp_path / "run.png", every=1)
    figures.start()
    monkeypatch.setattr(figures, "_draw", lambda *_: pytest.fail("too early"))
    figures.epoch(1, 0, lambda: [{}])
