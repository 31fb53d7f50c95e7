"""Reading a clip's sound for training, with the clip's name in the reason when that fails."""

from __future__ import annotations

from core.audio.mono import read_mono
from core.errors import UnusableFileError
from core.types import FloatArray
from training.data.dataset import Clip


def read_sound(clip: Clip, *, sample_rate_hz: int) -> FloatArray:
    """A clip's sound as one channel (n,).

    Raises:
        UnusableFileError: It cannot be read; the message names the clip and its file.
    """
    try:
        return read_mono(clip.path, sample_rate_hz=sample_rate_hz)
    except UnusableFileError as error:
        raise UnusableFileError(
            f"The sound of the clip {clip.id} ({clip.path}) cannot be used: {error.message}",
            "Take it out of the data set; `python -m training describe --decode` finds all such sounds at once.",
        ) from error
