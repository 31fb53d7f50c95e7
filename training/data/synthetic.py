"""Synthetic captions of clips: a JSON-lines file `{"id", "captions", ...}` that only grows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from training.data.dataset import DataError, clean_captions
from training.data.storage import storage_error


@dataclass(frozen=True, slots=True)
class SyntheticCaptions:
    """What was made for one clip.

    Attributes:
        id: Of the clip.
        captions: New ones; empty where none was usable.
        attempts: How often the model was asked.
        problem: Why there are none, or an empty text.
        key: Of prompt, model and settings; another key means that it has to be made again.
    """

    id: str
    captions: tuple[str, ...]
    attempts: int = 1
    problem: str = ""
    key: str = ""


def is_synthetic(path: Path) -> bool:
    """Whether a file holds synthetic captions: JSON lines without files of sound."""
    if path.suffix != ".jsonl" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig") as file:
        first = next((line for line in file if line.strip()), "")
    try:
        fields = json.loads(first)
    except ValueError:
        return False
    return isinstance(fields, dict) and "captions" in fields and "file" not in fields


def read_synthetic(path: Path) -> dict[str, SyntheticCaptions]:
    """By clip id; the last line of an id counts, and a last line cut short by a stop does not.

    Raises:
        DataError: The file cannot be read, or a line other than the last is damaged.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The synthetic captions {path} cannot be read: {error}.") from error
    found: dict[str, SyntheticCaptions] = {}
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            one = SyntheticCaptions(
                str(fields["id"]),
                clean_captions(fields["captions"]),
                int(fields.get("attempts", 1)),
                str(fields.get("problem", "")),
                str(fields.get("key", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines):
                break
            raise DataError(f"Line {number} of {path} is damaged: {error!r}.") from error
        found[one.id] = one
    return found


class SyntheticFile:
    """Appends clip by clip, so that a stop costs one clip at most.

    Args:
        path: Is made where it is missing; a last line cut short by a stop is taken away.

    Raises:
        StorageError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                whole = path.read_bytes()
                if whole and not whole.endswith(b"\n"):
                    with path.open("r+b") as file:
                        file.truncate(whole.rfind(b"\n") + 1)
        except OSError as error:
            raise storage_error(path, error) from error

    def add(self, one: SyntheticCaptions) -> None:
        """Keep what was made for a clip.

        Raises:
            StorageError: There is no space.
        """
        fields = {
            "id": one.id,
            "captions": list(one.captions),
            "attempts": one.attempts,
            "problem": one.problem,
            "key": one.key,
        }
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(fields, ensure_ascii=False) + "\n")
        except OSError as error:
            raise storage_error(self._path, error) from error
