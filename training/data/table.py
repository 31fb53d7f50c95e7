"""CSV tables as they are met: with a byte-order mark, blanks around names, other encodings, rows cut short."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from training.data.dataset import DataError


def read_table(path: Path, *, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, by column.

    A byte-order mark is skipped, blanks around the columns' names do not count, and a table that is not UTF-8 is read
    as Windows-1252, which is what spreadsheets write (Clotho's metadata is such).

    Args:
        path: The file.
        columns: That there must be.

    Raises:
        DataError: The file cannot be read, a column is missing, or a row is not as long as the header.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"The table {path} cannot be read: {error.strerror}.") from error
    try:
        rows = list(csv.reader(io.StringIO(_decoded(content), newline=""), strict=True))
    except csv.Error as error:
        raise DataError(f"The table {path} is damaged: {error}.", "Get it again from where it came.") from error
    if not rows:
        raise DataError(f"The table {path} is empty.")
    header = [name.strip() for name in rows[0]]
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataError(
            f"The table {path} has no column {' or '.join(missing)}; it has {', '.join(header)}.",
            "Check that it is the right file, with its first line.",
        )
    found: list[dict[str, str]] = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(value.strip() for value in row):
            continue
        if len(row) != len(header):
            raise DataError(f"Row {number} of {path} has {len(row)} fields and not {len(header)}.")
        found.append(dict(zip(header, row, strict=True)))
    return found


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
