"""What the frozen towers make of clips and texts, computed once and cached.

Shape legend: n clips or texts, e trunk embedding, c classes, s sentence embedding.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.progress import track

from core.audio.frontend import PASST_LOG_MEL
from core.audio.mel_stream import MelBank, fast_log_mel
from core.encoders.bert import SentenceTower
from core.encoders.efficientat import MobileNetTrunk
from core.encoders.folded import FoldedMobileNet
from core.encoders.sentence import SentenceTokenizer
from core.encoders.windows import fill_with_silence
from core.types import FloatArray
from training.config import TrunkConfig
from training.data.cache import ArrayCache, content_key, file_digest
from training.data.manifest import Clip
from training.data.sound import read_sound
from training.data.view import change

_CLIPS_IN_SHARD = 256
_TEXTS_IN_SHARD = 4096
_TEXT_BATCH = 128
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrunkFeatures:
    """Of n clips: embedding (n, e) and logits (n, c), float32."""

    embedding: FloatArray
    logits: FloatArray

    def take(self, rows: Sequence[int]) -> TrunkFeatures:
        """Those of some clips."""
        chosen = np.asarray(rows, dtype=np.int64)
        return TrunkFeatures(self.embedding[chosen], self.logits[chosen])


class ClipReader:
    """From a file to the log-mel window that the trunk is given, as the program itself does it.

    Args:
        config: Window and shortest length.
    """

    def __init__(self, config: TrunkConfig) -> None:
        self._bank = MelBank(PASST_LOG_MEL)
        per_second = PASST_LOG_MEL.sample_rate_hz / PASST_LOG_MEL.hop_samples
        self._window_samples = round(config.window_s * PASST_LOG_MEL.sample_rate_hz)
        self._window_frames = round(config.window_s * per_second)
        self._shortest_frames = round(config.shortest_s * per_second)

    def __call__(self, clip: Clip, rng: np.random.Generator | None = None) -> FloatArray:
        """The first window of a clip (t, f); with `rng` as a view of it (see `training.data.view`).

        Raises:
            UnusableFileError: It cannot be read.
        """
        samples = read_sound(clip, sample_rate_hz=PASST_LOG_MEL.sample_rate_hz)[: self._window_samples]
        if rng is not None:
            samples = change(samples, rng, longest=self._window_samples)
        return self.frames(samples)

    def frames(self, samples: FloatArray) -> FloatArray:
        """The first window (t, f) of a sound (n,) at the front-end's rate."""
        frames = fast_log_mel(self._bank, samples)[: self._window_frames]
        return fill_with_silence(frames, self._shortest_frames, PASST_LOG_MEL.silence)


def trunk_settings(trunk: MobileNetTrunk, digest: str, config: TrunkConfig) -> dict[str, object]:
    """What a clip's features depend on besides the clip, as part of a cache's key."""
    return {
        "trunk": digest,
        "taps": sorted(trunk.taps),
        **({"mel_summary": True} if trunk.mel_summary else {}),
        "window_s": config.window_s,
        "shortest_s": config.shortest_s,
    }


def trunk_features(
    clips: Sequence[Clip],
    *,
    trunk: MobileNetTrunk,
    trunk_digest: str,
    config: TrunkConfig,
    cache: ArrayCache,
    view: int = 0,
) -> TrunkFeatures:
    """Embeddings and logits of clips.

    Args:
        clips: n of them.
        trunk: In evaluation mode, on the CPU.
        trunk_digest: Of its weights; part of the cache's keys.
        config: How clips are read.
        cache: Where shards are kept.
        view: 0: as it is; else the number of a view, drawn anew for each number and clip.
    """
    read, run = ClipReader(config), FoldedMobileNet(trunk)
    settings = {**trunk_settings(trunk, trunk_digest, config), "view": view}
    shards = [clips[begin : begin + _CLIPS_IN_SHARD] for begin in range(0, len(clips), _CLIPS_IN_SHARD)]
    parts: list[dict[str, FloatArray]] = []
    for shard in track(shards, description=f"sounds, view {view}", transient=True):
        digests = [file_digest(clip.path) for clip in shard]

        def compute(shard: Sequence[Clip] = shard, digests: Sequence[str] = digests) -> dict[str, FloatArray]:
            return _run_shard(shard, digests, read, run, view)

        parts.append(cache.get(content_key(kind="trunk", files=digests, **settings), compute))
    return TrunkFeatures(*(np.concatenate([part[name] for part in parts]) for name in ("embedding", "logits")))


def _run_shard(
    shard: Sequence[Clip], digests: Sequence[str], read: ClipReader, run: FoldedMobileNet, view: int
) -> dict[str, FloatArray]:
    # A clip's view depends on its content and the view's number, not on its neighbours.
    rngs = (np.random.default_rng([int(digest[:15], 16), view]) if view else None for digest in digests)
    return run_each((read(clip, rng) for clip, rng in zip(shard, rngs, strict=True)), run)


def run_each(windows: Iterable[FloatArray], run: FoldedMobileNet) -> dict[str, FloatArray]:
    """What the trunk makes of log-mel windows (t, f), one by one: the fields of `TrunkFeatures` by name."""
    embeddings: list[FloatArray] = []
    logits: list[FloatArray] = []
    for window in windows:
        embedding, logit = run(torch.from_numpy(window)[None])
        embeddings.append(embedding.numpy())
        logits.append(logit.numpy())
    return {"embedding": np.concatenate(embeddings), "logits": np.concatenate(logits)}


class SentenceCache:
    """Sentence embeddings of texts, by a frozen text tower.

    Args:
        tower: In evaluation mode.
        tokenizer: That belongs to it.
        tower_digest: Of its weights; part of the cache's keys.
        cache: Where shards are kept.
    """

    def __init__(
        self, tower: SentenceTower, tokenizer: SentenceTokenizer, *, tower_digest: str, cache: ArrayCache
    ) -> None:
        self._tower = tower
        self._tokenizer = tokenizer
        self._digest = tower_digest
        self._cache = cache

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Texts -> (n, s) of unit length."""
        shards = [texts[begin : begin + _TEXTS_IN_SHARD] for begin in range(0, len(texts), _TEXTS_IN_SHARD)]
        parts = [
            self._cache.get(content_key(kind="text", tower=self._digest, texts=list(shard)), self._compute(shard))
            for shard in track(shards, description="texts", transient=True, disable=len(shards) < 2)
        ]
        joined = np.concatenate([part["sentence"] for part in parts])
        return np.asarray(joined / np.linalg.norm(joined, axis=1, keepdims=True), dtype=np.float32)

    def _compute(self, texts: Sequence[str]) -> Callable[[], dict[str, FloatArray]]:
        def compute() -> dict[str, FloatArray]:
            order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
            rows: list[FloatArray] = []
            with torch.inference_mode():
                for begin in range(0, len(order), _TEXT_BATCH):
                    batch = [texts[row] for row in order[begin : begin + _TEXT_BATCH]]
                    rows.append(self._tower(*self._tokenizer(batch)).numpy())
            return {"sentence": np.concatenate(rows)[np.argsort(order)]}

        return compute
