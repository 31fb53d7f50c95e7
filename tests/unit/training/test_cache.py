from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.data.cache import ArrayCache, content_key


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return {"values": np.linspace(0, 1, 7, dtype=np.float32)}


def test_that_a_known_key_is_not_computed_again(tmp_path: Path) -> None:
    compute = Counted()
    first = ArrayCache(tmp_path).get("key", compute)
    second = ArrayCache(tmp_path).get("key", compute)
    assert compute.calls == 1
    assert np.array_equal(first["values"], second["values"])


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half of it", b"no archive"])
def test_that_a_damaged_file_is_computed_again(tmp_path: Path, damage: bytes) -> None:
    compute, cache = Counted(), ArrayCache(tmp_path)
    cache.get("key", compute)
    (tmp_path / "key.npz").write_bytes(damage)
    assert cache.get("key", compute)["values"].shape == (7,)
    assert compute.calls == 2


def test_that_an_interrupted_computation_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> dict[str, np.ndarray]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ArrayCache(tmp_path).get("key", interrupted)
    assert list(tmp_path.iterdir()) == []


def test_that_a_key_depends_on_every_part_and_not_on_their_order() -> None:
    assert content_key(a=1, b=[2]) == content_key(b=[2], a=1)
    assert content_key(a=1, b=[2]) != content_key(a=1, b=[3])
