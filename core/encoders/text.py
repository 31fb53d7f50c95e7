"""The text encoders of the papers, from local folders: BERT, RoBERTa and MiniLM through `transformers`.

Shape legend: b batch, t tokens, d embedding.

Nothing is ever downloaded: a folder holds what `save_pretrained` writes (config.json, weights, tokenizer).
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from core.encoders.length_mask import masked_mean
from core.errors import KnownError, ModelError

Pooling = Literal["first", "mean"]

_SENTENCE_MARKS = re.compile(r'[,.!?;:"]')
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def marks_to_spaces(text: str) -> str:
    """Lower case, with `,.!?;:"` as spaces (Mei et al. 2022)."""
    return " ".join(_SENTENCE_MARKS.sub(" ", text.lower()).split())


def without_punctuation(text: str) -> str:
    """Lower case, without any ASCII punctuation (Primus et al. 2024)."""
    return text.lower().translate(_NO_PUNCTUATION)


def as_written(text: str) -> str:
    """The text itself."""
    return text


class UnknownTextEncoderError(KnownError):
    """No text encoder has this name."""


@dataclass(frozen=True, slots=True)
class TextEncoderConfig:
    """One text encoder as a paper uses it.

    Attributes:
        name: Kebab-case name.
        model_type: What config.json says of it.
        dimension: d.
        layers: Transformer layers.
        pooling: "first": the first token ([CLS], <s>); "mean": over all tokens that are no padding.
        max_tokens: Longer texts are cut, special tokens counted.
        prepare: What is done to a text before it is cut into tokens.
        dropout: Of hidden states and attention while training; None: as config.json says.
        source: Where the folder comes from.
        licence: Of the weights.
    """

    name: str
    model_type: str
    dimension: int
    layers: int
    pooling: Pooling
    max_tokens: int
    prepare: Callable[[str], str]
    dropout: float | None
    source: str
    licence: str


_CONFIGS = {
    config.name: config
    for config in (
        # Mei et al. 2022, section 2.2; Xin and Zou 2023. Neither names a limit, so it is the model's own.
        TextEncoderConfig(
            "bert-base", "bert", 768, 12, "first", 512, marks_to_spaces, None, "bert-base-uncased", "Apache-2.0"
        ),
        # Primus et al. 2024, section 4.2.2; Tymofieiev 2025, section 3.4.
        TextEncoderConfig(
            "roberta-large", "roberta", 1024, 24, "first", 32, without_punctuation, 0.2, "roberta-large", "MIT"
        ),
        # Reimers and Gurevych 2019; the limit is that of its sentence-transformers configuration.
        TextEncoderConfig(
            "minilm-l6", "bert", 384, 6, "mean", 256, as_written, None,
            "sentence-transformers/all-MiniLM-L6-v2", "Apache-2.0",
        ),
    )
}  # fmt: skip


def text_encoder_names() -> tuple[str, ...]:
    """All names, sorted."""
    return tuple(sorted(_CONFIGS))


def text_encoder_config(name: str) -> TextEncoderConfig:
    """Look a text encoder up.

    Raises:
        UnknownTextEncoderError: No such name.
    """
    try:
        return _CONFIGS[name]
    except KeyError:
        raise UnknownTextEncoderError(
            f"There is no text encoder named {name!r}.", f"There are: {', '.join(text_encoder_names())}."
        ) from None


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Texts as token numbers.

    Attributes:
        ids: (b, t).
        token_mask: (b, t) True for tokens that are no padding.
        word_mask: (b, t) True for tokens that are neither padding nor special ([CLS], [SEP], <s>, ...).
    """

    ids: Tensor
    token_mask: Tensor
    word_mask: Tensor

    def to(self, device: torch.device) -> TokenBatch:
        """The same on a device."""
        return TokenBatch(self.ids.to(device), self.token_mask.to(device), self.word_mask.to(device))


@dataclass(frozen=True, slots=True)
class TextOutput:
    """One batch through a text encoder.

    Attributes:
        embedding: (b, d) one vector per text, not normalised.
        tokens: (b, t, d) last hidden states; zero where `token_mask` is False.
        token_mask: (b, t) True for tokens that are no padding.
        word_mask: (b, t) the same without special tokens, for word-level interaction.
    """

    embedding: Tensor
    tokens: Tensor
    token_mask: Tensor
    word_mask: Tensor


class TextEncoder(nn.Module):
    """A transformer and its tokenizer, with the pooling and the limits of a paper; see `load_text_encoder`.

    Texts may be cut into tokens elsewhere (in a loader's workers) by `tokenise`, and encoded by `encode`.
    """

    def __init__(self, config: TextEncoderConfig, model: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.config = config
        self.model = model
        self._tokenizer = tokenizer

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return self.config.dimension

    def tokenise(self, texts: Sequence[str]) -> TokenBatch:
        """Prepare texts and cut them into tokens, padded to the longest.

        Raises:
            ValueError: There is no text, or something else than texts.
        """
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"expected a sequence of texts, got {type(texts).__name__}: {texts!r:.60}")
        if not texts:
            raise ValueError("expected at least one text, got an empty batch")
        cut = self._tokenizer(
            [self.config.prepare(text) for text in texts],
            padding=True,
            truncation=True,
            max_length=self.config.max_tokens,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        token_mask = cut["attention_mask"].bool()
        return TokenBatch(cut["input_ids"], token_mask, token_mask & ~cut["special_tokens_mask"].bool())

    def encode(self, batch: TokenBatch) -> TextOutput:
        """Run the transformer and pool."""
        batch = batch.to(next(self.model.parameters()).device)
        hidden = self.model(input_ids=batch.ids, attention_mask=batch.token_mask.long()).last_hidden_state
        hidden = hidden.masked_fill(~batch.token_mask[:, :, None], 0.0)
        embedding = hidden[:, 0] if self.config.pooling == "first" else masked_mean(hidden, batch.token_mask)
        return TextOutput(embedding, hidden, batch.token_mask, batch.word_mask)

    def forward(self, texts: Sequence[str]) -> TextOutput:
        """Encode texts.

        Raises:
            ValueError: There is no text, or something else than texts.
        """
        return self.encode(self.tokenise(texts))


PREPARATIONS: dict[str, Callable[[str], str]] = {
    "marks-to-spaces": marks_to_spaces,
    "without-punctuation": without_punctuation,
    "as-written": as_written,
}


class TransformerTower(nn.Module):
    """A text encoder inside a model folder: from its settings, without any folder of its own.

    Args:
        settings: The content of its config.json.
        pooling: See `TextEncoderConfig`.
        longest_tokens: Longer texts are cut.
        preparation: A name in `PREPARATIONS`.
    """

    def __init__(
        self, *, settings: dict[str, Any], pooling: Pooling, longest_tokens: int, preparation: str = "as-written"
    ) -> None:
        super().__init__()
        from transformers import AutoConfig, AutoModel

        self.dimension = int(settings["hidden_size"])
        self.longest_tokens = longest_tokens
        self.prepare = PREPARATIONS[preparation]
        self._pooling = pooling
        config = AutoConfig.for_model(**settings)
        # Position numbers are no weights: on the meta device they would stay without values.
        with torch.device("cpu"):
            self.model = AutoModel.from_config(config, add_pooling_layer=False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(b, t), (b, t) -> (b, d)."""
        hidden: Tensor = self.model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        return hidden[:, 0] if self._pooling == "first" else masked_mean(hidden, mask)


def load_text_encoder(kind: str | TextEncoderConfig, folder: Path, *, dropout: float | None = None) -> TextEncoder:
    """Load a text encoder from a local folder.

    Args:
        kind: A name of `text_encoder_names()`, or a configuration of one's own.
        folder: Holds config.json, the weights and the tokenizer.
        dropout: While training, instead of the configuration's.

    Raises:
        UnknownTextEncoderError: No such name.
        ModelError: The folder is missing, incomplete or of another model.
    """
    config = text_encoder_config(kind) if isinstance(kind, str) else kind
    _check_folder(config, folder)
    rate = config.dropout if dropout is None else dropout
    rates = {} if rate is None else {"hidden_dropout_prob": rate, "attention_probs_dropout_prob": rate}
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model, loading = AutoModel.from_pretrained(
            folder, local_files_only=True, add_pooling_layer=False, output_loading_info=True, **rates
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelError(f"{folder} holds no whole {config.name}: {error}", _way_out(config)) from error
    # The library fills what is missing with random numbers and goes on.
    if loading["missing_keys"]:
        missing = sorted(str(name) for name in loading["missing_keys"])
        raise ModelError(
            f"The weights in {folder} are not those of {config.name}: {len(missing)} tensors are missing, "
            f"among them {missing[0]}.",
            _way_out(config),
        )
    return TextEncoder(config, model, tokenizer)


def _way_out(config: TextEncoderConfig) -> str:
    return f"Give a folder with config.json, model.safetensors and the tokenizer of {config.source}."


def _check_folder(config: TextEncoderConfig, folder: Path) -> None:
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(f"There is no {config.name} in {folder}: expected {path.name} there.", _way_out(config))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", _way_out(config)) from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no settings of a model.", _way_out(config))
    expected = {
        "model_type": config.model_type,
        "hidden_size": config.dimension,
        "num_hidden_layers": config.layers,
    }
    for name, value in expected.items():
        if found.get(name) != value:
            raise ModelError(
                f"{folder} holds another model than {config.name}: expected {name} {value!r}, "
                f"found {found.get(name)!r}.",
                _way_out(config),
            )
