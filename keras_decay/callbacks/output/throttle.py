"""Bounds the time of a side job by a share of the elapsed time."""

import time


class Throttle:
    """Allows a job as long as it takes at most `share` of the time since `start`.

    Args:
        share: Fraction of the elapsed time, in (0, 1).
        first: Seconds that the first job is expected to take; later ones are expected
            to take as long as the last.
        clock: Function that returns the time in seconds.
    """

    def __init__(self, share, first, clock=time.perf_counter):
        self._share = share
        self._expected = first
        self._clock = clock
        self.start()

    def start(self):
        """Count the time from now on."""
        self._began = self._clock()
        self._spent = 0.0

    def allows(self):
        """Whether the job, done now, would stay within its share."""
        elapsed = self._clock() - self._began
        return self._spent + self._expected <= self._share * elapsed

    def run(self, job):
        """Do the job and charge the time it takes."""
        began = self._clock()
        try:
            return job()
        finally:
            self._expected = self._clock() - began
            self._spent += self._expected
