"""Pictures of sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sound import noise, tone, write_sound

from core.audio.spectrogram import FLOOR_DB, Spectrogram, spectrogram
from core.errors import CancelledError
from core.jobs import CancelToken
from core.types import Span


def picture(path: Path, span: Span, *, columns: int = 200, rows: int = 128) -> Spectrogram:
    return list(spectrogram(path, span, columns=columns, rows=rows, cancel=CancelToken()))[-1]


def level_db(value: float) -> float:
    return FLOOR_DB + value * -FLOOR_DB / 255


@pytest.mark.parametrize("rate_hz", [16_000, 48_000, 192_000])
@pytest.mark.parametrize("frequency_hz", [100.0, 1_000.0, 6_000.0])
def test_that_a_tone_is_a_line_at_its_frequency_and_level(tmp_path: Path, rate_hz: int, frequency_hz: float) -> None:
    path = write_sound(tmp_path / "a.wav", tone(2.0, rate_hz, frequency_hz=frequency_hz), rate_hz, subtype="FLOAT")
    seen = picture(path, Span(0.0, 2.0))
    column = seen.levels[:, 100]
    row = int(np.argmax(column))
    low = seen.frequency_hz(1 - (row + 1.5) / 128)
    high = seen.frequency_hz(1 - (row - 0.5) / 128)
    width_hz = 1 / 0.02
    assert low - width_hz <= frequency_hz <= high + width_hz
    assert level_db(column[row]) == pytest.approx(-6.0, abs=2.0)
    assert seen.filled == 200


def test_that_silence_is_empty_and_so_is_what_follows_the_end(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", np.concatenate([noise(1.0), np.zeros((48_000, 1), np.float32)]))
    seen = picture(path, Span(0.0, 4.0))
    assert seen.levels[:, 10:40].max() > 80
    assert not seen.levels[:, 55:].any()


def test_that_a_click_stands_at_its_time_when_zoomed_in(tmp_path: Path) -> None:
    sound = np.zeros((48_000, 1), dtype=np.float32)
    sound[24_000] = 1.0
    path = write_sound(tmp_path / "a.wav", sound)
    seen = picture(path, Span(0.45, 0.55), columns=400)
    energy = seen.levels.astype(float).sum(axis=0)
    assert np.average(np.arange(400), weights=energy) == pytest.approx(200, abs=4)
    assert (energy > 0).sum() < 60


def test_that_a_part_of_the_picture_equals_the_whole_ones(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(4.0) * np.linspace(0, 1, 192_000, dtype=np.float32)[:, None])
    whole = picture(path, Span(0.0, 4.0), columns=400)
    part = picture(path, Span(1.0, 3.0), columns=200)
    np.testing.assert_array_equal(whole.levels[:, 100:300], part.levels)


def test_that_a_very_long_sound_is_looked_at_here_and_there(tmp_path: Path) -> None:
    quiet, loud = noise(300.0, 8_000) * 0.01, noise(300.0, 8_000)
    path = write_sound(tmp_path / "a.wav", np.concatenate([quiet, loud]), 8_000)
    seen = picture(path, Span(0.0, 600.0), columns=100, rows=32)
    means = seen.levels.mean(axis=0)
    assert means[:49].max() + 60 < means[51:].min()


def test_that_the_picture_fills_from_the_left_and_can_be_broken_off(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(3.0))
    cancel = CancelToken()
    making = spectrogram(path, Span(0.0, 3.0), columns=300, rows=16, cancel=cancel)
    first = next(making)
    assert 0 < first.filled < 300
    assert not first.levels[:, first.filled :].any()
    cancel.cancel()
    with pytest.raises(CancelledError):
        next(making)
