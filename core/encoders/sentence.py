"""The text towers that ship inside dual encoders, by name, and the tokenizer that belongs to them.

Written without transformers, whose import alone takes longer than a search may.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import tokenizers
from torch import Tensor, nn

from core.encoders.bert import BertConfig, SentenceTower, pad_tokens
from core.errors import ModelError

_LONGEST_TOKENS = 256


class SentenceTokenizer:
    """Texts to token numbers, by a `tokenizer.json` of the tokenizers library.

    Args:
        definition: The file's content.
        longest_tokens: Longer texts are cut to the tower's longest, or to 256 if that is less.
        prepare: What is done to a text before it is cut into tokens.

    Raises:
        ModelError: The content is no tokenizer.
    """

    def __init__(
        self,
        definition: bytes,
        *,
        longest_tokens: int = _LONGEST_TOKENS,
        prepare: Callable[[str], str] | None = None,
    ) -> None:
        try:
            self._tokenizer = tokenizers.Tokenizer.from_buffer(definition)
        # The library has no narrower exception for what it cannot parse.
        except Exception as error:
            raise ModelError(f"The tokenizer of the model is damaged: {error}.", "Install the model again.") from error
        self._prepare = prepare
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length=min(longest_tokens, _LONGEST_TOKENS))

    def token_lists(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of each text, with the special tokens around them."""
        # One by one: the library's own threads do not pay for queries, and do not survive a fork.
        prepared = texts if self._prepare is None else [self._prepare(text) for text in texts]
        return [self._tokenizer.encode(text).ids for text in prepared]

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Texts -> tokens (b, w) and mask (b, w)."""
        return pad_tokens(self.token_lists(texts))


def _bert(config: BertConfig) -> Callable[..., SentenceTower]:
    def build(**options: Any) -> SentenceTower:
        return SentenceTower(replace(config, **options))

    return build


def _transformer(**options: Any) -> nn.Module:
    from core.encoders.text import TransformerTower

    return TransformerTower(**options)


_TOWERS: dict[str, Callable[..., nn.Module]] = {
    # sentence-transformers/all-MiniLM-L6-v2, Apache-2.0.
    "minilm-l6": _bert(BertConfig()),
    # Any other of the papers', through transformers.
    "transformer": _transformer,
}


def create_text_tower(name: str, **options: Any) -> Any:
    """Build a text tower with fresh parameters: `tower(tokens, mask) -> sentence`, `dimension`, `longest_tokens`.

    Args:
        name: "minilm-l6" or "transformer".
        **options: Fields of `BertConfig` that differ; or arguments of `core.encoders.text.TransformerTower`.

    Raises:
        ModelError: No such name.
    """
    if name not in _TOWERS:
        raise ModelError(f"There is no text tower named {name!r}.", f"There are: {', '.join(sorted(_TOWERS))}.")
    return _TOWERS[name](**options)
