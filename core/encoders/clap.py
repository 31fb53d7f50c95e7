"""CLAP checkpoints (Wu et al. 2023, "Large-scale contrastive language-audio pretraining") as a dual encoder.

The model is that of `transformers`, which is imported when a half of it is needed. Features are the sound itself, cut
into frames, so that every window goes through the published preparation whole: `ClapFeatureExtractor` repeats a short
sound up to ten seconds before it takes the spectrum. Its two draws of random numbers never happen here: no window is
longer than ten seconds, and no window of a fused checkpoint is declared to be longer than it is.

Shape legend: b batch, n samples, t frames, d embedding.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load

from core.encoders.card import TOKENIZER_FILE, ModelCard
from core.encoders.sentence import SentenceTokenizer
from core.encoders.windows import plan_windows, pool_windows
from core.errors import ModelError, UnusableFileError
from core.jobs import Notice
from core.types import FloatArray

CONFIG_FILE = "config.json"
PREPARATION_FILE = "preprocessor_config.json"
MODEL_FILE = "model.safetensors"

FRAMES_PER_S = 100

_WAY_OUT = "Import the checkpoint again."
# Of a CPU's memory: the spectra and activations of some windows.
_BATCH_WINDOWS = 8
# Beyond it the published training cut its captions.
_LONGEST_TOKENS = 77

ReadFile = Callable[[str], bytes]


class ClapEncoder:
    """A CLAP checkpoint (implements `core.encoders.protocol.DualEncoder`).

    Args:
        card: Of the imported checkpoint.
        read: Gives the content of a file of its folder.
        device: Where sounds are embedded. Text is always done on the CPU where that is where the model is.

    Raises:
        ModelError: CUDA was demanded and there is none.
    """

    def __init__(self, card: ModelCard, read: ReadFile, *, device: Literal["auto", "cpu", "cuda"] = "auto") -> None:
        has_cuda = torch.cuda.is_available()
        if device == "cuda" and not has_cuda:
            raise ModelError("There is no CUDA device.", "Choose the device cpu or auto.")
        self._card = card
        self._read = read
        self._device: Literal["cpu", "cuda"] = "cuda" if has_cuda and device != "cpu" else "cpu"
        self._loading = threading.Lock()
        self._parts: tuple[Any, Any, SentenceTokenizer] | None = None
        self._frame_samples = card.sample_rate_hz // FRAMES_PER_S

    @property
    def card(self) -> ModelCard:
        """Who the model is."""
        return self._card

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where sounds are embedded."""
        return self._device

    def prepare_worker_thread(self) -> None:
        """Make torch compute on one core in the calling thread."""
        torch.set_num_threads(1)

    def take_notices(self) -> list[Notice]:
        """Nothing: there is no other device to fall back to while a job runs."""
        return []

    def features(self, samples: FloatArray) -> FloatArray:
        """The sound (n,) in frames (t, n/t) of ten milliseconds.

        Raises:
            UnusableFileError: The sound holds values that are no numbers.
        """
        stream = self.feature_stream()
        return np.concatenate([stream.push(samples), stream.finish()])

    def feature_stream(self) -> FrameStream:
        """The same for a sound that arrives in blocks."""
        return FrameStream(self._frame_samples)

    def embed_features(self, windows: Sequence[FloatArray]) -> FloatArray:
        """Slices (t_i, n/t) of features -> (b, d) float32 of unit length.

        Raises:
            ModelError: The checkpoint is damaged.
        """
        if not len(windows):
            return np.zeros((0, self._card.dimension), dtype=np.float32)
        groups = (windows[start : start + _BATCH_WINDOWS] for start in range(0, len(windows), _BATCH_WINDOWS))
        return np.concatenate([self._embed_group(group) for group in groups])

    def embed_audio(self, clips: Sequence[FloatArray]) -> FloatArray:
        """Clips (n_i,) -> (b, d); a clip beyond one window is the duration-weighted mean of its windows.

        Raises:
            ModelError: The checkpoint is damaged.
            UnusableFileError: A clip holds values that are no numbers.
        """
        window, hop = round(self._card.window_s * FRAMES_PER_S), round(self._card.hop_s * FRAMES_PER_S)
        rows = []
        for clip in clips:
            frames = self.features(clip)
            ranges = plan_windows(len(frames), window, hop)
            vectors = self.embed_features([frames[start:end] for start, end in ranges])
            rows.append(pool_windows(vectors, [end - start for start, end in ranges]))
        return np.stack(rows) if rows else np.zeros((0, self._card.dimension), dtype=np.float32)

    def embed_text(self, texts: Sequence[str]) -> FloatArray:
        """Texts -> (b, d) float32 of unit length.

        Raises:
            ModelError: The checkpoint is damaged.
        """
        model, _, tokenizer = self._loaded()
        rows = []
        with torch.inference_mode():
            # One by one: padding beside a longer text would change the last bits.
            for tokens in tokenizer.token_lists(texts):
                ids = torch.tensor([tokens], device=self._device)
                found = model.get_text_features(input_ids=ids, attention_mask=torch.ones_like(ids))
                rows.append(_unit_rows(found))
        return np.concatenate(rows) if rows else np.zeros((0, self._card.dimension), dtype=np.float32)

    def _embed_group(self, windows: Sequence[FloatArray]) -> FloatArray:
        model, preparation, _ = self._loaded()
        sounds = [np.ascontiguousarray(window).reshape(-1) for window in windows]
        prepared = preparation(sounds, sampling_rate=self._card.sample_rate_hz, return_tensors="pt")
        with torch.inference_mode():
            found = model.get_audio_features(
                input_features=prepared["input_features"].to(self._device, torch.float32),
                is_longer=torch.zeros(len(sounds), 1, dtype=torch.bool, device=self._device),
            )
            return _unit_rows(found)

    def _loaded(self) -> tuple[Any, Any, SentenceTokenizer]:
        """Model, preparation of sounds and tokenizer, read when they are first needed."""
        with self._loading:
            if self._parts is None:
                self._parts = self._load()
            return self._parts

    def _load(self) -> tuple[Any, Any, SentenceTokenizer]:
        from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

        try:
            config = ClapConfig.from_dict(json.loads(self._read(CONFIG_FILE)))
            preparation = ClapFeatureExtractor.from_dict(json.loads(self._read(PREPARATION_FILE)))
            model = ClapModel(config)
            missing, _ = model.load_state_dict(load(self._read(MODEL_FILE)), strict=False)
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"The checkpoint {self._card.id} cannot be read: {error}.", _WAY_OUT) from error
        # Counters and tables that are computed anew are not weights.
        lacking = [name for name in missing if name in dict(model.named_parameters())]
        if lacking:
            raise ModelError(f"The checkpoint {self._card.id} lacks {lacking[0]}.", _WAY_OUT)
        tokenizer = SentenceTokenizer(self._read(TOKENIZER_FILE), longest_tokens=_LONGEST_TOKENS)
        return model.float().eval().to(self._device).requires_grad_(False), preparation, tokenizer


class FrameStream:
    """Cuts a sound that arrives in blocks into frames; the last one is filled with silence."""

    def __init__(self, frame_samples: int) -> None:
        self._frame_samples = frame_samples
        self._rest = np.zeros(0, dtype=np.float32)

    def push(self, samples: FloatArray) -> FloatArray:
        """See `core.encoders.protocol.FeatureStream`; raises UnusableFileError."""
        if not np.isfinite(samples).all():
            raise UnusableFileError("The sound holds values that are no numbers.", "Export it again from its source.")
        joined = np.concatenate([self._rest, samples.astype(np.float32, copy=False)])
        whole = len(joined) // self._frame_samples * self._frame_samples
        self._rest = joined[whole:]
        return joined[:whole].reshape(-1, self._frame_samples)

    def finish(self) -> FloatArray:
        """See `core.encoders.protocol.FeatureStream`."""
        rest, self._rest = self._rest, np.zeros(0, dtype=np.float32)
        return np.pad(rest, (0, -len(rest) % self._frame_samples)).reshape(-1, self._frame_samples)


def _unit_rows(found: Any) -> FloatArray:
    """The projected vectors, of unit length, whatever the version of the library wraps them in."""
    vectors = getattr(found, "pooler_output", found)
    return np.asarray(torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy(), dtype=np.float32)
