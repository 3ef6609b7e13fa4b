"""Curves as rows: read, written, and cut into series.

- `columns`: any record of a training as rows, and any quantity in rows as a series.
- `known_names`: the columns of other programs, under our names.
- `rows`: the file of a curve, row by row.
- `table`: rows as a data frame or CSV.
- `thinned`: a growing curve in a bounded number of rows.
"""

__all__ = ["columns", "known_names", "rows", "table", "thinned"]
