"""The text towers that ship inside dual encoders, by name, and the tokenizer that belongs to them.

Written without transformers, whose import alone takes longer than a search may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import tokenizers
from torch import Tensor

from core.encoders.bert import BertConfig, SentenceTower, pad_tokens
from core.errors import ModelError

_LONGEST_TOKENS = 256


class SentenceTokenizer:
    """Texts to token numbers, by a `tokenizer.json` of the tokenizers library.

    Args:
        definition: The file's content.
        longest_tokens: Longer texts are cut to the tower's longest, or to 256 if that is less.

    Raises:
        ModelError: The content is no tokenizer.
    """

    def __init__(self, definition: bytes, *, longest_tokens: int = _LONGEST_TOKENS) -> None:
        try:
            self._tokenizer = tokenizers.Tokenizer.from_buffer(definition)
        # The library has no narrower exception for what it cannot parse.
        except Exception as error:
            raise ModelError(f"The tokenizer of the model is damaged: {error}.", "Install the model again.") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=min(longest_tokens, _LONGEST_TOKENS))

    def token_lists(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of each text, with the special tokens around them."""
        # One by one: the library's own threads do not pay for queries, and do not survive a fork.
        return [self._tokenizer.encode(text).ids for text in texts]

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts -> tokens (b, w) and mask (b, w)."""
        return pad_tokens(self.token_lists(texts))


def _bert(config: BertConfig) -> Callable[..., SentenceTower]:
    def build(**options: Any) -> SentenceTower:
        return SentenceTower(replace(config, **options))

    return build


_TOWERS: dict[str, Callable[..., SentenceTower]] = {
    # sentence-transformers/all-MiniLM-L6-v2, Apache-2.0.
    "minilm-l6": _bert(BertConfig()),
}


def create_text_tower(name: str, **options: Any) -> SentenceTower:
    """Build a text tower with fresh parameters.

    Args:
        name: "minilm-l6".
        **options: Fields of `BertConfig` that differ.

    Raises:
        ModelError: No such name.
    """
    if name not in _TOWERS:
        raise ModelError(f"There is no text tower named {name!r}.", f"There are: {', '.join(sorted(_TOWERS))}.")
    return _TOWERS[name](**options)
