"""The captioner that the program uses: a file in, a sentence with its confidence and tags out.

Torch is imported when the first sound is described. A file longer than a window gets the caption of its most typical
window among the loud ones; `caption_windows` describes each window in turn.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.audio.decode import open_audio
from core.audio.mono import read_mono
from core.captioning.card import (
    WEIGHTS_FILE,
    WORDS_FILE,
    CaptionerCard,
    ConfidenceFit,
    read_captioner_card,
    read_captioner_file,
)
from core.captioning.guess import CaptionGuess
from core.captioning.stopword import STOPWORDS
from core.errors import UnusableFileError
from core.types import FloatArray, Span

if TYPE_CHECKING:
    from core.captioning.generation import GeneratedCaption
    from core.captioning.writer import CaptionWriter, Heard, WordsFile

_SILENCE_DBFS = -75.0
_LOUD_RANGE_DB = 20.0
_MOST_WINDOWS = 16
_SHORTEST_TAIL_S = 1.0
_SILENT = CaptionGuess(text="Silence", confidence=1.0, tags=("silence",))


@dataclass(frozen=True, slots=True)
class WindowCaption:
    """A stretch of a file and what is said of it."""

    span: Span
    guess: CaptionGuess


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a caption's confidence is computed from.

    Attributes:
        log_probability: Mean of the caption's tokens.
        agreement: Share of its content words that the other beams hold, too, on average; 1 with a single beam.
        kind: Probability of the likeliest kind of sound.
    """

    log_probability: float
    agreement: float
    kind: float

    def confidence(self, fit: ConfidenceFit) -> float:
        """Probability that the caption says what is heard."""
        odds = (
            fit.log_probability * self.log_probability
            + fit.agreement * self.agreement
            + fit.kind * self.kind
            + fit.bias
        )
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))


class Captioner:
    """A captioning model (see `core.captioning.guess.FileCaptioner`). Calls from several threads wait for each other.

    Args:
        folder: Of the model.
        card: Of the model.
        device: Where it computes.
    """

    def __init__(self, folder: Path, card: CaptionerCard, *, device: Literal["auto", "cpu", "cuda"]) -> None:
        self._folder = folder
        self._card = card
        self._device: Literal["auto", "cpu", "cuda"] = device
        self._parts: tuple[CaptionWriter, WordsFile] | None = None
        self._lock = threading.Lock()

    @property
    def card(self) -> CaptionerCard:
        """Who the model is."""
        return self._card

    @property
    def writer(self) -> CaptionWriter:
        """The model's torch half, loaded when it is first asked for.

        Raises:
            ModelError: A file of the model is missing or damaged.
        """
        return self._loaded()[0]

    def caption(self, sound: Path | FloatArray, /) -> CaptionGuess:
        """Describe a file, which is only read, or samples (n,) at the model's rate.

        Raises:
            UnusableFileError: The file cannot be read, or the sound holds values that are no numbers.
            ModelError: A file of the model is missing or damaged.
            ValueError: There are no samples.
        """
        windows = self._sample(sound) if isinstance(sound, Path) else self._cut(sound)
        loud = [window for window in windows if _level_dbfs(window) > _SILENCE_DBFS]
        if not loud:
            return _SILENT
        with self._lock:
            heard = self._hear(loud)
            row = _most_typical(heard, [_level_dbfs(window) for window in loud])
            return self._guess(heard, row)

    def caption_windows(self, path: Path) -> Iterator[WindowCaption]:
        """Describe a file window by window, in the order of time and in memory for one window.

        Raises:
            UnusableFileError: The file cannot be read.
            ModelError: A file of the model is missing or damaged.
        """
        for span in self._spans(_duration_s(path)):
            try:
                samples = self._read(path, span)
            except UnusableFileError:
                if span.start_s == 0:
                    raise
                return  # The header promised more sound than there is.
            if _level_dbfs(samples) <= _SILENCE_DBFS:
                yield WindowCaption(span, _SILENT)
                continue
            with self._lock:
                guess = self._guess(self._hear([samples]), 0)
            yield WindowCaption(span, guess)

    def _loaded(self) -> tuple[CaptionWriter, WordsFile]:
        if self._parts is None:
            from core.captioning.writer import assemble_writer, read_words

            words = read_words(self._card, read_captioner_file(self._folder, self._card, WORDS_FILE))
            weights = read_captioner_file(self._folder, self._card, WEIGHTS_FILE)
            self._parts = assemble_writer(self._card, words, weights, device=self._device), words
        return self._parts

    def _hear(self, windows: Sequence[FloatArray]) -> Heard:
        return self._loaded()[0].hear(windows)

    def _guess(self, heard: Heard, row: int) -> CaptionGuess:
        writer, words = self._loaded()
        [beams] = writer.write(heard.features([row]))
        texts = [sentence(words.vocabulary.decode(beam.tokens)) for beam in beams]
        evidence = weigh(beams, texts, kinds=heard.kinds[row])
        confidence = evidence.confidence(self._card.confidence)
        return CaptionGuess(
            text=texts[0],
            confidence=confidence,
            alternatives=tuple(dict.fromkeys(text for text in texts[1:] if text != texts[0])),
            tags=self._tags(words, heard.classes[row], heard.kinds[row]),
            is_sure=confidence >= self._card.confidence.threshold,
        )

    def _tags(self, words: WordsFile, classes: FloatArray, kinds: FloatArray) -> tuple[str, ...]:
        """Kinds and classes above their bounds, likeliest first; at least the likeliest class."""
        tagging = self._card.tagging
        found = [
            (float(probability), name.lower())
            for names, probabilities, bound in (
                (words.kinds, kinds, tagging.kind_probability),
                (words.classes, classes, tagging.class_probability),
            )
            for name, probability in zip(names, probabilities, strict=True)
            if probability >= bound
        ]
        if not found:
            best = int(np.argmax(classes))
            found = [(float(classes[best]), words.classes[best].lower())]
        ordered = dict.fromkeys(name for _, name in sorted(found, key=lambda item: -item[0]))
        return tuple(ordered)[: tagging.most]

    def _spans(self, duration_s: float) -> list[Span]:
        """Windows side by side; a tail that is too short to say anything is left out, unless it is all there is."""
        window = self._card.window_s
        count = max(1, math.ceil((duration_s - _SHORTEST_TAIL_S) / window))
        return [Span(number * window, (number + 1) * window) for number in range(count)]

    def _sample(self, path: Path) -> list[FloatArray]:
        """All windows of a file, or of a long one some that lie evenly over it."""
        spans = self._spans(_duration_s(path))
        if len(spans) > _MOST_WINDOWS:
            numbers = np.linspace(0, len(spans) - 1, _MOST_WINDOWS).round().astype(int)
            spans = [spans[number] for number in numbers]
        windows: list[FloatArray] = []
        for span in spans:
            try:
                windows.append(self._read(path, span))
            except UnusableFileError:
                if not windows:
                    raise
                break  # The header promised more sound than there is.
        return windows

    def _read(self, path: Path, span: Span) -> FloatArray:
        return read_mono(path, sample_rate_hz=self._card.sample_rate_hz, span=span)

    def _cut(self, samples: FloatArray) -> list[FloatArray]:
        if samples.ndim != 1 or not len(samples):
            raise ValueError(f"expected samples (n,), got shape {samples.shape}")
        if not np.isfinite(samples).all():
            raise UnusableFileError("The sound holds values that are no numbers.", "Export it again from its source.")
        rate = self._card.sample_rate_hz
        spans = self._spans(len(samples) / rate)
        return [samples[round(span.start_s * rate) : round(span.end_s * rate)] for span in spans]


def load_captioner(folder: Path, *, device: Literal["auto", "cpu", "cuda"] = "auto") -> Captioner:
    """Open a captioner's folder; its card is read now, its weights when the first sound is described.

    Raises:
        ModelError: There is no captioner in the folder.
    """
    return Captioner(folder, read_captioner_card(folder), device=device)


def sentence(words: str) -> str:
    """The decoder's lower-case words as a person writes them: with a capital at the front."""
    return words[:1].upper() + words[1:]


def weigh(beams: Sequence[GeneratedCaption], texts: Sequence[str], *, kinds: FloatArray) -> Evidence:
    """What speaks for the first of some captions."""
    own = _content(texts[0])
    shares = [len(own & _content(other)) / max(1, len(own)) for other in texts[1:]]
    agreement = float(np.mean(shares)) if shares else 1.0
    return Evidence(beams[0].mean_log_probability, agreement, float(kinds.max()))


def _content(text: str) -> set[str]:
    return {word for word in text.lower().split() if word not in STOPWORDS}


def _duration_s(path: Path) -> float:
    with open_audio(path) as sound:
        return sound.info.duration_s


def _level_dbfs(samples: FloatArray) -> float:
    """Of the loudest sample."""
    return 20 * math.log10(max(float(np.abs(samples).max(initial=0.0)), 1e-9))


def _most_typical(heard: Heard, levels_dbfs: Sequence[float]) -> int:
    """The window nearest to the mean of all, among those that are not much softer than the loudest."""
    clips = np.asarray(heard.embedding.cpu().numpy())
    nearness = clips @ clips.mean(axis=0)
    soft = np.asarray(levels_dbfs) < max(levels_dbfs) - _LOUD_RANGE_DB
    return int(np.argmax(np.where(soft, -np.inf, nearness)))
