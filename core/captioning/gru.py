"""The captioner behind auxiliary captions: a one-layer GRU that attends to a CNN10's frames.

Xin and Zou, section 3.2.1, name "CNN10 and a standard shallow single-layer GRU"; the architecture is that of the
public audio captioning baseline with additive (Bahdanau) attention: at each step the last state attends to the frames,
and the GRU takes the word, the projected context and the projected clip vector side by side.

Shape legend: a audios, t frames, d frame features, e clip features, w width, l tokens, n prefixes, r rows,
v vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from core.captioning.prefix import PrefixTree
from core.captioning.protocol import AudioFeatures
from core.errors import ModelError


@dataclass(slots=True)
class _Heard:
    """What of the audio every step needs.

    Attributes:
        frames: (a, t, d).
        attended: (a, t, w) the frames' part of the attention.
        gates: (a, 3 w) the clip's part of the GRU's gates, with the biases of its input.
        mask: (a, t).
    """

    frames: Tensor
    attended: Tensor
    gates: Tensor
    mask: Tensor

    def select(self, rows: Tensor) -> _Heard:
        return _Heard(self.frames[rows], self.attended[rows], self.gates[rows], self.mask[rows])


class _GruState:
    """Captions under way: the hidden state of each row, and what its audio gives."""

    def __init__(self, decoder: GruCaptionDecoder, heard: _Heard) -> None:
        self._decoder = decoder
        self._heard = heard
        audios = heard.gates.shape[0]
        self._audio = torch.arange(audios, device=heard.gates.device)
        self._hidden = heard.gates.new_zeros(audios, decoder.width)

    def step(self, tokens: Tensor) -> Tensor:
        """(r,) -> (r, v)."""
        words = self._decoder.embed(tokens)[:, None]
        hidden, logits, _ = self._decoder.advance(words, self._hidden[:, None], self._heard)
        self._hidden = hidden[:, 0]
        return logits[:, 0]

    def select(self, rows: Tensor) -> None:
        """Keep these rows; what the audio gives moves only where a row gets another audio."""
        audio = self._audio[rows]
        if not torch.equal(audio, self._audio):
            self._heard = self._heard.select(rows)
            self._audio = audio
        self._hidden = self._hidden[rows]


class _Attention(nn.Module):
    """Parameters of the additive attention, v tanh(W [state; frame] + b)."""

    def __init__(self, *, width: int, frame_dimension: int, inner: int) -> None:
        super().__init__()
        self.v = nn.Parameter(torch.rand(inner))
        self.h2attn = nn.Linear(width + frame_dimension, inner)


class GruCaptionDecoder(nn.Module):
    """The GRU captioner's decoder.

    Args:
        vocabulary_size: v, special tokens included.
        frame_dimension: d.
        clip_dimension: e.
        width: w, of words, projections, attention and state.
        dropout: On words and on the clip vector while training.
        pad: The padding token.

    Reference: Xin and Zou, Improving audio-text retrieval via hierarchical cross-modal interaction and auxiliary
    captions, section 3.2.1.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        frame_dimension: int = 512,
        clip_dimension: int = 512,
        width: int = 512,
        dropout: float = 0.2,
        pad: int = 0,
    ) -> None:
        super().__init__()
        self.width = width
        self.word_embedding = nn.Embedding(vocabulary_size, width, padding_idx=pad)
        self.dropout = nn.Dropout(dropout)
        self.attn = _Attention(width=width, frame_dimension=frame_dimension, inner=width)
        self.fc_proj = nn.Linear(clip_dimension, width)
        self.ctx_proj = nn.Linear(frame_dimension, width)
        self.model = nn.GRU(3 * width, width, batch_first=True)
        self.classifier = nn.Linear(width, vocabulary_size)

    @property
    def vocabulary_size(self) -> int:
        """v."""
        return self.classifier.out_features

    def embed(self, tokens: Tensor) -> Tensor:
        """(..., l) -> (..., l, w)."""
        embedded: Tensor = self.dropout(self.word_embedding(tokens))
        return embedded

    def _gate(self, name: str) -> Tensor:
        """A parameter of the GRU, whose gates are computed in `advance`."""
        parameter = getattr(self.model, name)
        assert isinstance(parameter, Tensor)
        return parameter

    def _input_weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """The gates' weights of word, context and clip, each (3 w, w)."""
        word, context, clip = self._gate("weight_ih_l0").chunk(3, dim=1)
        return word, context, clip

    def hear(self, audio: AudioFeatures) -> _Heard:
        """All of the audio's part that no word changes.

        Raises:
            ValueError: There are no clip vectors, or a dimension is not that of the decoder.
        """
        if audio.clip is None:
            raise ValueError("this captioner needs one vector per clip besides the frames")
        expected = (self.ctx_proj.in_features, self.fc_proj.in_features)
        if (audio.frames.shape[-1], audio.clip.shape[-1]) != expected:
            raise ValueError(
                f"expected {expected[0]} features per frame and {expected[1]} per clip, "
                f"got {audio.frames.shape[-1]} and {audio.clip.shape[-1]}"
            )
        of_frames = self.attn.h2attn.weight[:, self.width :]
        attended = linear(audio.frames, of_frames, self.attn.h2attn.bias)
        _, _, of_clip = self._input_weights()
        gates = linear(self.fc_proj(self.dropout(audio.clip)), of_clip, self._gate("bias_ih_l0"))
        return _Heard(audio.frames, attended, gates, audio.frame_mask)

    def advance(self, words: Tensor, hidden: Tensor, heard: _Heard) -> tuple[Tensor, Tensor, Tensor]:
        """One step of k captions for each audio.

        The GRU's input is [word; projected context; projected clip]; its gates are linear in each of the three, so that
        each part is computed where it first is known and as rarely as it changes.

        Args:
            words: (a or 1, k, w) embeddings.
            hidden: (a, k, w).
            heard: Of the a audios.

        Returns:
            Hidden (a, k, w), logits (a, k, v), attention (a, k, t).
        """
        of_state = linear(hidden, self.attn.h2attn.weight[:, : self.width])
        energy = torch.tanh(heard.attended[:, None] + of_state[:, :, None]) @ self.attn.v
        weight = energy.float().masked_fill(~heard.mask[:, None], float("-inf")).softmax(dim=-1).to(energy.dtype)
        context = weight @ heard.frames
        of_word, of_context, _ = self._input_weights()
        given = linear(self.ctx_proj(context), of_context) + linear(words, of_word) + heard.gates[:, None]
        kept = linear(hidden, self._gate("weight_hh_l0"), self._gate("bias_hh_l0"))
        reset_in, update_in, new_in = given.chunk(3, dim=-1)
        reset_kept, update_kept, new_kept = kept.chunk(3, dim=-1)
        update = torch.sigmoid(update_in + update_kept)
        new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_kept) * new_kept)
        state = new + update * (hidden - new)
        return state, self.classifier(state), weight

    def forward(self, audio: AudioFeatures, tokens: Tensor, token_mask: Tensor | None = None) -> Tensor:
        """Teacher forcing: tokens (a, l), bos first -> logits (a, l, v). Padding needs no mask: nothing looks ahead."""
        if tokens.ndim != 2 or tokens.shape[0] != len(audio):
            raise ValueError(f"expected tokens ({len(audio)}, length), got {tuple(tokens.shape)}")
        heard = self.hear(audio)
        hidden = audio.frames.new_zeros(len(audio), 1, self.width)
        logits = []
        embedded = self.embed(tokens)
        for place in range(tokens.shape[1]):
            hidden, step, _ = self.advance(embedded[:, place : place + 1], hidden, heard)
            logits.append(step)
        return torch.cat(logits, dim=1)

    def start(self, audio: AudioFeatures) -> _GruState:
        """One empty caption per audio."""
        return _GruState(self, self.hear(audio))

    def prefix_logits(self, audio: AudioFeatures, tree: PrefixTree) -> Tensor:
        """Logits (a, n, v), all prefixes of one depth at a time."""
        heard = self.hear(audio)
        logits = heard.gates.new_empty(len(audio), tree.size, self.vocabulary_size)
        hidden = heard.gates.new_zeros(len(audio), tree.size, self.width)
        for depth in range(int(tree.depth.max()) + 1):
            nodes = (tree.depth == depth).nonzero()[:, 0]
            words = self.embed(tree.tokens[nodes])[None]
            hidden[:, nodes], logits[:, nodes], _ = self.advance(words, hidden[:, tree.parent[nodes]], heard)
        return logits

    def load_official(self, state: Mapping[str, Tensor]) -> tuple[str, ...]:
        """Take over published weights by their own names, with or without a leading `decoder.`.

        Returns:
            Names in the checkpoint for which there is no place here.

        Raises:
            ModelError: A parameter is missing or has another shape.
        """
        renamed = {name.removeprefix("decoder."): tensor for name, tensor in state.items()}
        own = self.state_dict()
        for name, tensor in own.items():
            if name not in renamed:
                raise ModelError(f"The checkpoint is not one of this captioner: it lacks {name}.")
            if renamed[name].shape != tensor.shape:
                raise ModelError(
                    f"The checkpoint's {name} has shape {tuple(renamed[name].shape)}, expected {tuple(tensor.shape)}."
                )
        self.load_state_dict({name: renamed[name] for name in own})
        return tuple(sorted(name for name in renamed if name not in own))
