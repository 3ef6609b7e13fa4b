"""Curves as rows: read, written, and cut into series.

- `columns`: any record of a training as rows, and any quantity in rows as a series.
- `readers`: `read_curves`, other people's files, and the names of their columns.
- `rows`: the file of a curve, row by row.
- `table`: rows as a data frame or CSV.
- `thinned`: a growing curve in a bounded number of rows.
"""

__all__ = ["columns", "readers", "rows", "table", "thinned"]
