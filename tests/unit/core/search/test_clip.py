"""An example clip is heard from where its sound sets in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import soundfile

from core.encoders.protocol import DualEncoder
from core.search.clip import embed_clip, from_onset
from core.search.query import ClipPart
from core.types import FloatArray, Span

RATE = 8000


class Listener:
    """Remembers what it hears."""

    card = SimpleNamespace(sample_rate_hz=RATE, window_s=10.0, hop_s=5.0)

    def __init__(self) -> None:
        self.heard: list[FloatArray] = []

    def embed_audio(self, clips: list[FloatArray]) -> FloatArray:
        self.heard.extend(clips)
        return np.tile(np.asarray([1.0, 0.0], dtype=np.float32), (len(clips), 1))


def heard(path: Path, span: Span | None = None) -> list[FloatArray]:
    listener = Listener()
    embed_clip(cast(DualEncoder, listener), ClipPart(path, span))
    return listener.heard


@pytest.mark.parametrize("silence_s", [0.0, 1.0, 25.0])
def test_that_silence_before_a_sound_is_left_out_however_long(tmp_path: Path, silence_s: float) -> None:
    sound = (0.3 * np.cos(np.arange(2 * RATE) / 5)).astype(np.float32)
    path = tmp_path / "late.wav"
    soundfile.write(path, np.concatenate([np.zeros(round(silence_s * RATE)), sound]), RATE, subtype="FLOAT")
    (piece,) = heard(path)
    np.testing.assert_allclose(piece, sound, atol=1e-6)
    (part,) = heard(path, Span(0.0, silence_s + 2.0))
    np.testing.assert_allclose(part, sound, atol=1e-6)


def test_that_pauses_within_a_sound_stay_and_silence_is_still_heard(tmp_path: Path) -> None:
    broken = np.concatenate([np.full(100, 0.5), np.zeros(400), np.full(100, 0.5)]).astype(np.float32)
    np.testing.assert_array_equal(from_onset(broken), broken)
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(3 * RATE), RATE)
    assert sum(len(piece) for piece in heard(path)) == 3 * RATE
