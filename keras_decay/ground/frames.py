"""Rows as a pandas data frame."""


def data_frame(rows, columns=None):
    """Dictionaries as a pandas data frame; pandas is imported only here."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "A data frame needs pandas, which is not installed: install it with  "
            "pip install pandas"
        ) from error
    return pandas.DataFrame(rows, columns=columns)
