"""Files that appear whole, and locks that are dropped when their process ends."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading

import filelock
import pytest

from keras_decay.ground import files
from keras_decay.ground.files import lock as lock_file

CONTENT = b"new"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(file):
    file.write(CONTENT)


def fail(file):
    file.write(b"half")
    raise RuntimeError("bomb")


@pytest.mark.parametrize("temporary", [None, ".run.new"])
def test_a_file_is_replaced_as_a_whole(tmp_path, temporary):
    path = tmp_path / "run.txt"
    files.replace(path, write, temporary=temporary)
    assert path.read_bytes() == CONTENT
    with pytest.raises(RuntimeError, match="bomb"):
        files.replace(path, fail, temporary=temporary)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["run.txt"]


def test_a_new_file_follows_the_umask_and_an_old_one_keeps_its_mode(tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch()
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        files.replace(new, write)
        files.replace(old, write)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (new, old)] == [0o640, 0o640]


def test_a_temporary_file_that_is_a_link_does_not_lead_elsewhere(tmp_path):
    diary = tmp_path / "diary.txt"
    diary.write_text("dear diary")
    (tmp_path / ".run.new").symlink_to(diary)
    files.replace(tmp_path / "run.txt", write, temporary=".run.new")
    assert diary.read_text() == "dear diary"
    assert names(tmp_path) == ["diary.txt", "run.txt"]


def test_leftovers_are_told_from_files_of_the_user(tmp_path):
    for name in (".run-0a_b1c2d.svg", ".run-2.svg", "run-0a_b1c2d.svg"):
        (tmp_path / name).touch()
    files.remove_leftovers(tmp_path / "run.svg")
    assert names(tmp_path) == [".run-2.svg", "run-0a_b1c2d.svg"]


def test_a_path_is_tried_before_it_is_needed(tmp_path):
    files.check_writable("path", tmp_path / "new" / "run.txt")
    assert names(tmp_path) == ["new"] and names(tmp_path / "new") == []
    with pytest.raises(OSError, match=r"`path` cannot be written to .*is a folder"):
        files.check_writable("path", tmp_path / "new")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="`figure` cannot be written to"):
        files.check_writable("figure", tmp_path / "file" / "run.svg")


def lock_on(path, holder="a training"):
    lock = files.WriteLock(path)
    lock.acquire(holder)
    return lock


def test_a_lock_leaves_nothing_behind(tmp_path):
    lock = lock_on(tmp_path / "run.txt")
    assert names(tmp_path) == [".run.txt.lock", ".run.txt.writer"]
    lock.acquire()
    lock.check()
    lock.release()
    lock.release()
    assert names(tmp_path) == [] and not lock.was_killed
    lock_on(tmp_path / "run.txt").release()


def test_a_second_lock_of_one_holder_is_refused_by_every_name_of_the_file(tmp_path):
    path, link = tmp_path / "run.txt", tmp_path / "link.txt"
    link.symlink_to(path)
    lock = lock_on(path)
    for name in (path, link):
        with pytest.raises(ValueError, match=rf"`path` .*Process {os.getpid()} on "):
            lock_on(name)
    lock.check()
    lock.release()


def test_a_later_owner_takes_over_and_the_earlier_one_is_told(tmp_path):
    first = lock_on(tmp_path / "run.txt")
    second = lock_on(tmp_path / "run.txt", "a later one")
    assert not second.was_killed
    second.check()
    with pytest.raises(RuntimeError, match="A later training of this process writes"):
        first.check()
    first.release()  # is not the owner any more
    with pytest.raises(ValueError, match="no other training"):
        lock_on(tmp_path / "run.txt", "a later one")
    second.release()
    with pytest.raises(RuntimeError, match="has taken the file over"):
        first.check()  # also after the later one has ended
    first.acquire()
    first.check()
    first.release()
    assert names(tmp_path) == []


def test_without_a_holder_the_later_owner_takes_over(tmp_path):
    first, second = (files.WriteLock(tmp_path / "run.txt") for _ in range(2))
    first.acquire()
    second.acquire()
    second.release()


def test_a_lock_is_waited_for_while_another_thread_releases_it(tmp_path, monkeypatch):
    first = lock_on(tmp_path / "run.txt")
    is_releasing, may_end = threading.Event(), threading.Event()
    release = filelock.FileLock.release

    def slow(lock, *args, **kwargs):
        is_releasing.set()
        assert may_end.wait(10)
        release(lock, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(filelock.FileLock, "release", slow)
        thread = threading.Thread(target=first.release)
        thread.start()
        assert is_releasing.wait(10)
        threading.Timer(0.2, may_end.set).start()
        second = lock_on(tmp_path / "run.txt")
        thread.join()
    second.release()
    assert names(tmp_path) == []


def test_a_lock_can_be_released_in_another_thread(tmp_path):
    lock = lock_on(tmp_path / "run.txt")
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    lock_on(tmp_path / "run.txt").release()


@pytest.mark.parametrize("hidden", [".run.txt.lock", ".run.txt.writer"])
def test_what_a_link_in_the_place_of_a_hidden_file_points_to_stays(tmp_path, hidden):
    """It was followed, and the file that it points to emptied."""
    diary = tmp_path / "diary.txt"
    diary.write_text("dear diary")
    (tmp_path / hidden).symlink_to(diary)
    if hidden.endswith("lock"):
        with pytest.raises(OSError, match=r"\.run\.txt\.lock' is a symbolic link"):
            lock_on(tmp_path / "run.txt")
    else:
        lock_on(tmp_path / "run.txt").release()
    assert diary.read_text() == "dear diary"


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch):
    def unable(lock):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(filelock.FileLock, "_acquire", unable)
    with pytest.warns(UserWarning, match="without locks"):
        lock = lock_on(tmp_path / "run.txt")
    # Within the process the table of owners still tells.
    with pytest.raises(ValueError, match="no other training"):
        lock_on(tmp_path / "run.txt")
    lock.release()
    assert names(tmp_path) == []


def test_a_lock_that_cannot_say_its_owner_is_not_held(tmp_path, monkeypatch):
    def full(lock):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.WriteLock, "_write_note", full)
    with pytest.raises(OSError, match="No space"):
        lock_on(tmp_path / "run.txt")
    monkeypatch.undo()
    lock_on(tmp_path / "run.txt").release()


# The module alone: to import Keras takes longer than the rest.
ELSEWHERE = """
import importlib.util, os, signal, sys, types
for name in ("keras_decay", "keras_decay.ground"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []

def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

folder, path, kill = sys.argv[1:]
ground = sys.modules["keras_decay.ground"]
ground.validation = load("keras_decay.ground.validation", folder + "/validation.py")
files = load("lock", folder + "/files/lock.py")
lock = files.WriteLock(path)
lock.acquire()
if kill == "with a fork":
    if os.fork() == 0:
        lock.release()  # the parent's: does nothing
        print("ready", flush=True)
        sys.stdin.read()
        os._exit(0)
else:
    print("ready", flush=True)
    if kill == "never":
        sys.stdin.read()
        lock.release()
        sys.exit()
sys.stdin.read(1)
"""


@pytest.fixture
def elsewhere(tmp_path):
    """Function that starts a process which holds the lock; stopped in the end."""
    started = []

    def start(kill):
        folder = os.path.dirname(os.path.dirname(lock_file.__file__))
        arguments = [
            sys.executable,
            "-c",
            ELSEWHERE,
            folder,
            tmp_path / "run.txt",
            kill,
        ]
        process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


def test_a_lock_of_another_process_is_refused_while_it_runs(tmp_path, elsewhere):
    process = elsewhere("never")
    with pytest.raises(ValueError, match=f"Process {process.pid} on .* writes it now"):
        lock_on(tmp_path / "run.txt")
    process.communicate("", timeout=10)
    lock = lock_on(tmp_path / "run.txt")
    assert not lock.was_killed
    lock.release()
    assert names(tmp_path) == []


@pytest.mark.parametrize("kill", ["alone", "with a fork"])
def test_a_killed_process_is_told_and_blocks_nobody(tmp_path, elsewhere, kill):
    """Nor does a fork of it that lives on."""
    if kill == "with a fork" and not hasattr(os, "fork"):
        pytest.skip("needs os.fork")
    process = elsewhere(kill)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    lock = lock_on(tmp_path / "run.txt")
    assert lock.was_killed
    lock.release()
    assert names(tmp_path) == []
    lock = lock_on(tmp_path / "run.txt")
    assert not lock.was_killed
    lock.release()
