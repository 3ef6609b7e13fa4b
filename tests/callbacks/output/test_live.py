"""Live displays: where they are shown, and that they leave alone what others write."""

import io
import sys
import types

import keras
import numpy as np
import pytest
from screens import Screen

from keras_decay.callbacks import LearningCurve
from keras_decay.callbacks.output import live as _live
from keras_decay.callbacks.output import outputs as _outputs
from keras_decay.callbacks.output import throttle
from keras_decay.callbacks.output.live import Lines, Notebook, TerminalPlot
from keras_decay.callbacks.training import Training

FIT = Training({})
ROWS = [
    {"epoch": e, "loss": 0.9**e, "val_loss": 1 + abs(e - 10) / 20} for e in range(40)
]


@pytest.fixture(autouse=True)
def colourless(monkeypatch):
    """Nothing of the machine's own terminal has a say in it."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")


def bar(screen, epoch, show):
    """What Keras' progress bar writes in an epoch; `show()` is called at its end."""
    screen.write(f"Epoch {epoch}\n")
    written = 0
    for step in range(1, 4):
        text = f"{step}/3 {'=' * step} loss of epoch {epoch}"
        screen.write("\b" * written + "\r" + text)
        written = len(text)
    show()
    screen.write("\b" * written + "\r" + f"3/3 === loss of epoch {epoch}, done\n")


def written_text(epochs):
    return [
        line
        for epoch in epochs
        for line in (f"Epoch {epoch}", f"3/3 === loss of epoch {epoch}, done")
    ]


def text_of(screen, below=0):
    lines = screen.history + screen.lines[: screen.height - below]
    return [line for line in lines if line]


def test_the_progress_bar_goes_on_above_the_plot():
    """Oracle: the text that a terminal without the plot would have."""
    screen = Screen(80, 30)
    display = TerminalPlot(screen, screen.size)
    display.open(FIT)
    screen.write("before\n")
    for epoch in range(1, 31):
        bar(screen, epoch, lambda epoch=epoch: display.show(ROWS[: epoch + 1]))
    assert text_of(screen, below=16) == ["before", *written_text(range(1, 31))]
    plot = screen.lines[-16:]
    assert plot[0].startswith("epoch 30 · training 0.04239 · validation 2")
    assert "Overfitting since epoch" in plot[-2] or "Overfitting" in plot[-1]
    assert any("━ training" in line for line in plot)
    display.close(ROWS)
    assert screen.region == (0, 29)
    text = text_of(screen)
    assert text[:61] == ["before", *written_text(range(1, 31))]
    assert text[61].startswith("epoch 39") and len(text) == 61 + 16
    screen.write("after\n")
    assert text_of(screen)[-1] == "after"


@pytest.mark.parametrize(("columns", "lines"), [(60, 20), (100, 40), (80, 12)])
def test_the_plot_follows_the_window(columns, lines):
    screen = Screen(80, 30)
    display = TerminalPlot(screen, screen.size)
    display.open(FIT)
    for epoch in range(1, 9):
        bar(screen, epoch, lambda epoch=epoch: display.show(ROWS[: epoch + 1]))
    assert not display.urgent()
    screen.resize(columns, lines)
    assert display.urgent()
    for epoch in range(9, 16):
        bar(screen, epoch, lambda epoch=epoch: display.show(ROWS[: epoch + 1]))
    height = {20: 12, 40: 16, 12: 1}[lines]
    plot = screen.lines[-height:]
    assert plot[0].startswith("epoch 15 ")
    assert sum("epoch 15 " in line for line in screen.lines) == 1
    assert all(len(line) < columns for line in plot)
    assert text_of(screen, below=height)[-6:] == written_text(range(13, 16))
    display.abandon()
    display.abandon()
    assert screen.region == (0, lines - 1) and not any(screen.lines[-height:])


def test_a_second_display_leaves_the_terminal_to_the_first():
    screen = Screen()
    first, second = (TerminalPlot(screen, screen.size) for _ in range(2))
    first.open(FIT), second.open(FIT)
    second.show(ROWS), second.close(ROWS)
    assert text_of(screen) == []
    first.show(ROWS), first.close(ROWS)
    second.open(FIT), second.show(ROWS)
    assert screen.lines[-16].startswith("epoch 39")
    second.abandon()


def test_a_later_training_takes_the_terminal_over():
    screen = Screen()
    first, second = (TerminalPlot(screen, screen.size) for _ in range(2))
    first.open(FIT), first.show(ROWS[:3])
    second.open(Training({})), second.show(ROWS)
    first.show(ROWS[:4]), first.close(ROWS)
    assert screen.lines[-16].startswith("epoch 39")
    second.abandon()
    assert screen.region == (0, 23) and text_of(screen) == []


def test_an_exception_in_a_step_gives_the_terminal_back(build, data, monkeypatch):
    screen = Screen()
    display = TerminalPlot(screen, screen.size)
    monkeypatch.setattr(_live, "display", lambda live: display)
    monkeypatch.setattr(throttle.Throttle, "allows", lambda self: True)
    model = build(run_eagerly=True)

    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            def fails(*arguments):
                raise RuntimeError("bomb")

            model.optimizer.apply = fails

    with pytest.raises(RuntimeError, match="bomb"):
        callbacks = [LearningCurve(), Fails()]
        model.fit(*data, epochs=4, verbose=0, callbacks=callbacks)
    assert screen.region == (0, 23) and text_of(screen) == []
    assert display._size is None


def test_lines_where_there_is_no_terminal():
    stream, now = io.StringIO(), 0.0
    display = Lines(stream, clock=lambda: now)
    display.open(FIT)
    for epoch in range(1, 40):
        display.show(ROWS[:epoch])
        now += 0.1
    display.close(ROWS)
    lines = stream.getvalue().splitlines()
    # One every two seconds, the last epoch, the verdict.
    assert [line.split(" · ")[0] for line in lines[:-1]] == [
        "epoch 0",
        "epoch 20",
        "epoch 39",
    ]
    assert lines[-1].startswith("Overfitting since epoch")
    assert "\x1b" not in stream.getvalue()


def test_a_notebook_has_one_picture_that_is_replaced(monkeypatch):
    shown = []
    handle = types.SimpleNamespace(update=lambda *a, **k: shown.append((a, k)))

    def display(*arguments, **options):
        shown.append((arguments, options))
        return handle

    ipython = types.ModuleType("IPython")
    shell = types.SimpleNamespace(kernel=object())
    ipython.get_ipython = lambda: shell
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    notebook = _live.display("auto", io.StringIO())
    assert isinstance(notebook, Notebook)
    notebook.open(FIT), notebook.show(ROWS[:2]), notebook.close(ROWS)
    assert [options for _, options in shown] == [
        {"raw": True, "display_id": True},
        {"raw": True},
        {"raw": True},
    ]
    bundles = [arguments[0] for arguments, _ in shown]
    assert all(bundle["image/svg+xml"].startswith("<svg") for bundle in bundles)
    assert "epoch 1 " in bundles[1]["text/plain"]
    assert "Overfitting" in bundles[2]["text/plain"]
    shell.kernel = None  # IPython in a terminal
    assert _live.display("auto", io.StringIO()) is None


def test_auto_finds_out_where_it_runs(monkeypatch):
    assert _live.display("auto", io.StringIO()) is None
    assert _live.display(False, io.StringIO()) is None
    assert isinstance(_live.display(True, io.StringIO()), Lines)
    assert isinstance(_live.display("terminal", io.StringIO()), Lines)
    with pytest.raises(ValueError, match="`live`"):
        _live.display("notebook", io.StringIO())
    screen = Screen()
    assert _live.display("auto", screen) is None  # it has no file
    monkeypatch.setattr(screen, "fileno", lambda: 1, raising=False)
    sizes = "keras_decay.callbacks.output.live.terminal.os.get_terminal_size"
    monkeypatch.setattr(sizes, lambda descriptor: screen.size())
    for live in ("auto", True, "terminal"):
        assert isinstance(_live.display(live, screen), TerminalPlot)
    monkeypatch.setattr(screen, "encoding", "ascii")
    assert _live.display("auto", screen) is None
    monkeypatch.setattr(screen, "encoding", "utf-8")
    monkeypatch.setenv("TERM", "dumb")
    assert _live.display("auto", screen) is None


@pytest.mark.parametrize("live", [1, None, "yes", 0, ["auto"]])
def test_bad_live_is_named(live):
    with pytest.raises(ValueError, match="`live` must be"):
        LearningCurve(live=live)


@pytest.mark.slow
def test_a_display_that_fails_does_not_cost_the_training(build, data, monkeypatch):
    left = []

    def show(rows):
        raise OSError("gone")

    display = types.SimpleNamespace(
        FIRST=0, open=lambda fit: None, urgent=lambda: True, show=show
    )
    display.abandon = lambda: left.append(True)
    monkeypatch.setattr(_live, "display", lambda live: display)
    curve = LearningCurve()
    with pytest.warns(UserWarning, match="cannot be shown any more.*gone"):
        build().fit(*data, epochs=2, verbose=0, callbacks=[curve])
    assert len(curve.rows) == 2 and left


def test_what_is_shown_is_bounded_whatever_the_length(monkeypatch):
    """Oracle: the number of rows handed to the display, and the throttle's account."""
    seen, clock = [], types.SimpleNamespace(now=0.0)

    def show(rows):
        seen.append(len(rows))
        clock.now += 0.005

    display = types.SimpleNamespace(
        FIRST=0.005, open=lambda fit: None, urgent=lambda: False, show=show
    )
    monkeypatch.setattr(_live, "display", lambda live: display)
    outputs = _outputs.Outputs(None, None, "auto", None)
    fit = Training({})
    display.abandon = lambda: None
    outputs.start(fit)
    outputs._throttle._clock = lambda: clock.now
    outputs._throttle.start()
    rows = []
    for epoch in range(5000):
        clock.now += 0.01
        rows.append({"epoch": epoch, "loss": 1.0, "val_loss": np.float32(1.0)})
        outputs.epoch(rows)
    assert max(seen) <= 400
    assert 0.008 < 0.005 * len(seen) / clock.now <= 0.01
