"""The dual encoder: text and sound in one space (implements `core.encoders.protocol.DualEncoder`).

Shape legend: b batch, n samples, t frames, f mel bins, d embedding.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from core.audio.frontend import LogMelConfig
from core.audio.mel_stream import LogMelStream, MelBank
from core.encoders.card import ModelCard
from core.encoders.protocol import FeatureStream
from core.encoders.runner import TrunkRunner
from core.encoders.sentence import SentenceTokenizer
from core.encoders.waveform import SampleFrames, SampleStream, WaveformRunner
from core.encoders.windows import fill_with_silence, plan_windows, pool_windows
from core.errors import UnusableFileError
from core.jobs import Notice
from core.types import FloatArray

_TEXT_BATCH = 32
_Half = TypeVar("_Half")


class AudioHalf:
    """Trunk and audio head.

    Args:
        runner: Of the trunk.
        head: After it.
        shortest_frames: Shorter windows are followed by silence up to this.
        silence: The value of every bin of a silent frame.
    """

    def __init__(
        self,
        runner: TrunkRunner | WaveformRunner,
        head: Callable[..., Tensor],
        *,
        shortest_frames: int = 0,
        silence: float = 0.0,
    ) -> None:
        self.runner = runner
        self._head = head
        self._shortest_frames = shortest_frames
        self._silence = silence

    def embed(self, windows: Sequence[FloatArray]) -> FloatArray:
        """Windows (t_i, f) -> (b, d)."""
        filled = [fill_with_silence(window, self._shortest_frames, self._silence) for window in windows]
        with torch.inference_mode():
            return _as_array(self._head(*self.runner(filled)))


class TextHalf:
    """Tokenizer, text tower and text head, on the CPU in float32 and on one core.

    A sentence is done in some milliseconds; on a busy machine, waiting for a second core takes longer than that.
    """

    def __init__(self, tokenizer: SentenceTokenizer, tower: nn.Module, head: nn.Module) -> None:
        self._tokenizer = tokenizer
        self._tower = tower
        self._head = head

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Texts -> embeddings (b, d), and what the tower alone says of them, (b, w) of unit length."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        vectors: list[FloatArray] = []
        sentences: list[FloatArray] = []
        with torch.inference_mode(), _one_core():
            for begin in range(0, len(order), _TEXT_BATCH):
                tokens, mask = self._tokenizer([texts[row] for row in order[begin : begin + _TEXT_BATCH]])
                sentence = self._tower(tokens, mask)
                vectors.append(_as_array(self._head(sentence)))
                sentences.append(_as_array(torch.nn.functional.normalize(sentence, dim=-1)))
        back = np.argsort(order)
        return np.concatenate(vectors)[back], np.concatenate(sentences)[back]


@contextmanager
def _one_core() -> Iterator[None]:
    """Keep torch to one core in the calling thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Lazy(Generic[_Half]):
    """Something that is made when it is first asked for, once, also when several threads ask."""

    def __init__(self, make: Callable[[], _Half]) -> None:
        self._make = make
        self._made: _Half | None = None
        self._lock = threading.Lock()

    @property
    def made(self) -> _Half | None:
        """The thing, or None while nobody has asked."""
        return self._made

    def __call__(self) -> _Half:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = self._make()
        return self._made


class TorchDualEncoder:
    """A dual encoder in torch. Its halves are loaded when they are first needed: a text query reads no trunk.

    Args:
        card: The model's card.
        device: Where the audio half computes.
        front_end: The trunk's log-mel, or how samples are framed for an encoder with a front-end of its own.
        audio: Loads the audio half; may raise ModelError.
        text: Loads the text half; may raise ModelError.
    """

    def __init__(
        self,
        card: ModelCard,
        *,
        device: Literal["cpu", "cuda"],
        front_end: LogMelConfig | SampleFrames,
        audio: Callable[[], AudioHalf],
        text: Callable[[], TextHalf],
    ) -> None:
        self._card = card
        self._device = device
        self._front_end = front_end if isinstance(front_end, SampleFrames) else MelBank(front_end)
        self._audio = _Lazy(audio)
        self._text = _Lazy(text)
        frames_a_second = front_end.sample_rate_hz / front_end.hop_samples
        self._window_frames = round(card.window_s * frames_a_second)
        self._hop_frames = round(card.hop_s * frames_a_second)

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._card

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where sounds are embedded."""
        return self._device

    def prepare_worker_thread(self) -> None:
        """Make torch compute on one core in the calling thread."""
        torch.set_num_threads(1)

    def take_notices(self) -> list[Notice]:
        """What the user should know about the device and was not yet given out."""
        half = self._audio.made
        return [] if half is None else half.runner.take_notices()

    def features(self, samples: FloatArray) -> FloatArray:
        """Log-mel of a whole sound: (n,) -> (t, f).

        Raises:
            UnusableFileError: The sound holds values that are no numbers.
            ValueError: The sound is empty.
        """
        stream = self.feature_stream()
        return np.concatenate([stream.push(samples), stream.finish()])

    def feature_stream(self) -> CheckedStream:
        """Log-mel (or framed samples) of a sound that arrives in blocks."""
        if isinstance(self._front_end, SampleFrames):
            return CheckedStream(SampleStream(self._front_end))
        return CheckedStream(LogMelStream(self._front_end))

    def embed_features(self, windows: Sequence[FloatArray]) -> FloatArray:
        """Slices (t_i, f) of features -> (b, d) float32 of unit length.

        Raises:
            ModelError: The model's audio half is damaged.
        """
        if not len(windows):
            return np.zeros((0, self._card.dimension), dtype=np.float32)
        return self._audio().embed(windows)

    def embed_audio(self, clips: Sequence[FloatArray]) -> FloatArray:
        """Clips (n_i,) -> (b, d); a clip beyond one window is the duration-weighted mean of its windows.

        Raises:
            ModelError: The model's audio half is damaged.
            UnusableFileError: A clip holds values that are no numbers.
            ValueError: A clip is empty.
        """
        windows: list[FloatArray] = []
        owners: list[int] = []
        for row, clip in enumerate(clips):
            frames = self.features(clip)
            for start, end in plan_windows(len(frames), self._window_frames, self._hop_frames):
                windows.append(frames[start:end])
                owners.append(row)
        vectors = self.embed_features(windows)
        pooled = np.zeros((len(clips), self._card.dimension), dtype=np.float32)
        for row in range(len(clips)):
            own = [index for index, owner in enumerate(owners) if owner == row]
            pooled[row] = pool_windows(vectors[own], [len(windows[index]) for index in own])
        return pooled

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Texts -> (b, d) float32 of unit length.

        Raises:
            ModelError: The model's text half is damaged.
        """
        if not len(texts):
            return np.zeros((0, self._card.dimension), dtype=np.float32)
        return self._text().read(texts)[0]

    def embed_sentences(self, texts: Sequence[str]) -> FloatArray:
        """One text or more -> (b, w) of unit length: the text tower's own embeddings, beside other texts.

        Raises:
            ModelError: The model's text half is damaged.
        """
        return self._text().read(texts)[1]


class CheckedStream:
    """A feature stream that refuses what is no sound."""

    def __init__(self, stream: FeatureStream) -> None:
        self._stream = stream

    def push(self, samples: FloatArray) -> FloatArray:
        """See `core.encoders.protocol.FeatureStream`; raises UnusableFileError."""
        return _finite(self._stream.push(samples))

    def finish(self) -> FloatArray:
        """See `core.encoders.protocol.FeatureStream`; raises UnusableFileError."""
        return _finite(self._stream.finish())


def _finite(frames: FloatArray) -> FloatArray:
    if not np.isfinite(frames).all():
        raise UnusableFileError("The sound holds values that are no numbers.", "Export it again from its source.")
    return frames


def _as_array(embeddings: Tensor) -> FloatArray:
    return np.asarray(embeddings.numpy(), dtype=np.float32)
