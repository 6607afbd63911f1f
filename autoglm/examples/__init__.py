"""Example tables that come with the package; made by `scripts/make_example.py`."""

from __future__ import annotations

from pathlib import Path


def path(name: str = "customers.csv") -> Path:
    """Return where an example table lies.

    Parameters
    ----------
    name
        "customers.csv" (2,000 customers of a made-up telecom company, some left) or
        "new_customers.csv" (200 more, nobody knows yet).

    Raises
    ------
    FileNotFoundError
        When there is no example of that name.

    Examples
    --------
    >>> path().name
    'customers.csv'
    """
    file = Path(__file__).with_name(name)
    if file.suffix != ".csv" or not file.is_file():
        raise FileNotFoundError(f"no example table named {name!r}")
    return file
