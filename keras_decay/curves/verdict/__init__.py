"""What a curve says: the verdict, its statistics, and what to try next.

- `diagnosis`: `Diagnosis`, and `diagnose` of any record of a training.
- `prechelt`: Prechelt's measures of overfitting.
- `smoothing`: moving averages.
"""

__all__ = ["diagnosis", "prechelt", "smoothing"]
