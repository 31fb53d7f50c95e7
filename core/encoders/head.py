"""The projection heads of dual encoders by name, as model cards name them.

Whatever the architecture, `AudioHead(embedding (b, e), logits (b, c)) -> (b, d)` and `TextHead(sentence (b, s)) ->
(b, d)` give vectors of unit length. An audio head whose `needs_frames` is true is also given `frames (b, t, e), mask
(b, t)`.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from core.encoders.blended_head import BlendedAudioHead, BlendedTextHead
from core.encoders.profile_head import ProfileAudioHead, ProfileTextHead
from core.encoders.retrieval_head import RetrievalAudioHead, RetrievalTextHead
from core.errors import ModelError

_AUDIO_HEADS: dict[str, type[nn.Module]] = {
    "profile": ProfileAudioHead,
    "blended": BlendedAudioHead,
    "retrieval": RetrievalAudioHead,
}
_TEXT_HEADS: dict[str, type[nn.Module]] = {
    "profile": ProfileTextHead,
    "blended": BlendedTextHead,
    "retrieval": RetrievalTextHead,
}


def create_audio_head(name: str, **options: Any) -> nn.Module:
    """Build the audio head that a model card names.

    Raises:
        ModelError: No such name.
    """
    return _create(_AUDIO_HEADS, "audio", name, options)


def create_text_head(name: str, **options: Any) -> nn.Module:
    """Build the text head that a model card names.

    Raises:
        ModelError: No such name.
    """
    return _create(_TEXT_HEADS, "text", name, options)


def _create(heads: dict[str, type[nn.Module]], side: str, name: str, options: dict[str, Any]) -> nn.Module:
    if name not in heads:
        raise ModelError(f"There is no {side} head named {name!r}.", f"There are: {', '.join(heads)}.")
    return heads[name](**options)
