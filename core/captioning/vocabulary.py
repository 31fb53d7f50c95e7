"""The words that a captioner knows, and their numbers.

Labbé et al. 2023: lower-cased captions without punctuation, spaCy's tokens, every word of the training captions in the
order in which it is first met, after the four special tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from core.captioning.stopword import STOPWORDS
from core.captioning.tokenizer import normalise_caption, split_words
from core.errors import ModelError

PAD, BOS, EOS, UNK = range(4)
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")

_CLINGING = re.compile(r"\s+('(?:s|re|ve|ll|d|m)\b|n't\b)")


class Vocabulary:
    """Words and their numbers, both ways.

    Args:
        words: Without the special tokens, in order; the first gets number 4.

    Raises:
        ModelError: A word appears twice or is a special token.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = (*SPECIAL_TOKENS, *words)
        self._numbers = {word: number for number, word in enumerate(self._words)}
        if len(self._numbers) != len(self._words):
            raise ModelError("The vocabulary holds a word twice.", "Take the vocabulary that belongs to the model.")

    @classmethod
    def from_captions(cls, captions: Iterable[str]) -> Vocabulary:
        """All words of the captions, in the order in which they are first met."""
        words: dict[str, None] = {}
        for caption in captions:
            words.update(dict.fromkeys(split_words(normalise_caption(caption))))
        return cls(tuple(words))

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            ModelError: The file is missing or holds something else.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"The vocabulary {path.name} cannot be read: {error}.") from error
        words = content.get("words") if isinstance(content, dict) else None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ModelError(f"{path.name} is not a vocabulary.", 'Expected {"words": ["a", "dog", ...]}.')
        return cls(words)

    def save(self, path: Path) -> None:
        """Write the words as JSON."""
        path.write_text(json.dumps({"words": self.words}, ensure_ascii=False, indent=0), encoding="utf-8")

    @property
    def words(self) -> tuple[str, ...]:
        """The words without the special tokens, in order."""
        return self._words[len(SPECIAL_TOKENS) :]

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def number(self, word: str) -> int | None:
        """A word's number, None where it is not known."""
        return self._numbers.get(word)

    def encode(self, caption: str) -> list[int]:
        """Numbers of a caption's words, then eos; words that are not known become unk."""
        words = split_words(normalise_caption(caption))
        return [*(self._numbers.get(word, UNK) for word in words), EOS]

    def decode(self, tokens: Iterable[int]) -> str:
        """A readable caption of the tokens before the first eos; contractions are joined again.

        Raises:
            ValueError: A number that no word has.
        """
        words: list[str] = []
        for token in tokens:
            if token == EOS:
                break
            if not 0 <= token < len(self._words):
                raise ValueError(f"token {token} is outside the vocabulary of {len(self._words)}")
            if token not in (PAD, BOS):
                words.append(self._words[token])
        return _CLINGING.sub(r"\1", " ".join(words))

    def content_words(self) -> list[bool]:
        """For each token whether it is no stopword: what generation never says twice."""
        return [word not in STOPWORDS for word in self._words]
