"""Compare the tests of two commits, by name and marker.

    python .ci/compare_tests.py OLD [NEW]

Prints how many tests each commit has, how many of them run by default and how many are
marked `slow`, how many have moved to another file, and the names that NEW no longer
has. NEW is the working tree by default.
Exits with 1 if a test is gone.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def collected(folder, marker):
    """The names of the tests of a checkout that a marker expression selects."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", marker]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    # 5: no test is selected.
    assert done.returncode in (0, 5), done.stdout[-3000:] + done.stderr[-3000:]
    return {line for line in done.stdout.splitlines() if "::" in line}


def collected_at(revision, marker):
    with tempfile.TemporaryDirectory() as folder:
        git = ["git", "-C", str(ROOT)]
        subprocess.run([*git, "worktree", "add", "-q", "--detach", folder, revision])
        try:
            return collected(Path(folder), marker)
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", folder])


def main(old, new=None):
    before = collected_at(old, "")
    if new:
        fast, slow = (collected_at(new, marker) for marker in ("not slow", "slow"))
    else:
        fast, slow = (collected(ROOT, marker) for marker in ("not slow", "slow"))
    after = fast | slow
    print(f"{old}: {len(before)} tests")
    print(f"{new or 'working tree'}: {len(after)} tests")
    print(f"  by default: {len(fast)}, of which new: {len(fast - before)}")
    print(f"  slow: {len(slow)}, of which new: {len(slow - before)}")
    moved, gone = without_moved(before - after, after - before)
    print(f"moved to another file: {moved}")
    print(f"gone: {len(gone)}", *gone, sep="\n  ")
    return bool(gone)


def without_moved(missing, new):
    """How many missing tests another file has, and the others in order.

    Each new test counts for one missing test of its name and parameters.
    """
    left = Counter(name.partition("::")[2] for name in new)
    gone = []
    for name in sorted(missing):
        test = name.partition("::")[2]
        if left[test]:
            left[test] -= 1
        else:
            gone.append(name)
    return len(missing) - len(gone), gone


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
