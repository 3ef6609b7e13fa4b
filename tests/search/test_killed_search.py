"""A search that is killed: the next one goes on from it, to the same results.

`killed.py` is what runs in the processes.
"""

import json
import os
from pathlib import Path

import keras
import pytest

BACKEND = keras.backend.backend()
TESTS = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_killed_at_random_moments(tmp_path, run_python):
    """Oracle: the same search, not interrupted; every number is equal to it.

    A few times, since compiling takes long; KERAS_DECAY_KILLS sets another number.
    """
    kills = {"torch": 5, "tensorflow": 3, "jax": 2}[BACKEND]
    kills = int(os.environ.get("KERAS_DECAY_KILLS", kills))
    source = (TESTS / "search" / "killed.py").read_text()
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    printed = run_python(source, tmp_path, kills, 0, environment={"PYTHONPATH": path})
    found = json.loads(printed.stdout.splitlines()[-1])
    assert found["kills"] == kills
    # Nothing that a search had told of was lost, and nothing trained again.
    assert found["lost"] == found["repeated"] == 0
    slow = "vectorized" if BACKEND == "jax" else "sequential"
    assert found["engines"] == ["vectorized"] * 8 + [slow] * 2
    # All that is in the folder at last: an outcome for each task, what the search was
    # like, and what was being written when it was killed.
    last = tmp_path / f"memory {found['searches'] - 1}"
    names = {p.name for p in last.iterdir() if not p.name.startswith(".")}
    assert len([name for name in names if name.endswith(".npz")]) == 10
    assert len(names) == 12
