"""The torch half of a captioner: listens to windows and writes about them.

Shape legend: b windows, n samples, t frames, f mel bins, d trunk features, e embedding,
q stretches, s summary, c classes, k kinds.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from core.audio.frontend import PASST_LOG_MEL
from core.audio.mel_stream import MelBank, fast_log_mel
from core.captioning.card import WEIGHTS_FILE, WORDS_FILE, CaptionerCard
from core.captioning.consensus import by_consensus
from core.captioning.generation import GeneratedCaption, GenerationConfig, generate_captions
from core.captioning.memory import CaptionMemory, Vote
from core.captioning.prefixed import PrefixedCaptionDecoder, stretch_means
from core.captioning.protocol import AudioFeatures
from core.captioning.scoring import score_pairs
from core.captioning.stopword import OPEN_WORDS
from core.captioning.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from core.encoders.card import ModuleSpec
from core.encoders.efficientat import TIME_STRIDE, MobileNetEncoder, MobileNetTrunk
from core.encoders.folded import FoldedMobileNet
from core.encoders.head import create_audio_head
from core.encoders.registry import create_encoder
from core.encoders.runner import Device, choose_device
from core.encoders.windows import fill_with_silence
from core.errors import ModelError, UnusableFileError
from core.types import FloatArray

_SCORED_AT_ONCE = 256
_Module = TypeVar("_Module", bound=nn.Module)
_WAY_OUT = "Install the captioning model again, or choose another."


@dataclass(frozen=True, slots=True)
class Heard:
    """What the trunk and the heads make of b windows.

    Attributes:
        frames: (b, t, d), padded with zeros.
        frame_mask: (b, t) True where a frame belongs to the window and not to the silence behind it.
        clip: (b, (1 + q) e + s) of the whole window and its stretches, each of unit length, and with taps the
            trunk's summary.
        embedding: (b, e) of the whole window.
        classes: (b, c) probabilities of the tagger's classes.
        kinds: (b, k) probabilities of the kinds of sound, adding up to one.
    """

    frames: Tensor
    frame_mask: Tensor
    clip: Tensor
    embedding: Tensor
    classes: FloatArray
    kinds: FloatArray

    def features(self, rows: Sequence[int] | slice = slice(None)) -> AudioFeatures:
        """What the decoder takes, of some windows."""
        chosen = rows if isinstance(rows, slice) else torch.as_tensor(list(rows))
        return AudioFeatures(self.frames[chosen], self.frame_mask[chosen], self.clip[chosen])


class CaptionWriter:
    """Trunk, heads, decoder and memory of one captioner. One thread at a time.

    Args:
        trunk: Gives frames, embeddings and class logits.
        head: Places a clip among texts, (b, d), (b, c) -> (b, e).
        kinds: (b, e) -> (b, k).
        decoder: Writes.
        memory: Of known sounds; None: there is none.
        vocabulary: Of the decoder.
        card: Says how.
        device: Where it computes.
    """

    def __init__(
        self,
        *,
        trunk: MobileNetTrunk,
        head: nn.Module,
        kinds: nn.Module,
        decoder: PrefixedCaptionDecoder,
        memory: CaptionMemory | None,
        vocabulary: Vocabulary,
        card: CaptionerCard,
        device: Device,
    ) -> None:
        self._device = torch.device(choose_device(device))
        self._folded = FoldedMobileNet(trunk) if self._device.type == "cpu" else None
        self._trunk = trunk.to(self._device)
        self.head, self._kinds = head.to(self._device), kinds.to(self._device)
        self.decoder = decoder.to(self._device)
        self._memory = None if memory is None else memory.to(self._device)
        self.vocabulary = vocabulary
        self._bank = MelBank(PASST_LOG_MEL)
        per_second = PASST_LOG_MEL.sample_rate_hz / PASST_LOG_MEL.hop_samples
        self._window_frames = round(card.window_s * per_second)
        self._shortest_frames = round(card.shortest_s * per_second)
        self._content = vocabulary.content_words()
        self._generation = generation_config(vocabulary, **card.writing.model_dump(exclude={"consensus", "memory"}))
        self._writing = card.writing

    def log_mel(self, samples: FloatArray) -> tuple[FloatArray, int]:
        """A window's samples (n,) -> its log-mel (t, f), filled with silence, and how many trunk frames are its own.

        Raises:
            UnusableFileError: They hold values that are no numbers.
            ValueError: There are none.
        """
        frames = fast_log_mel(self._bank, samples)[: self._window_frames]
        if not np.isfinite(frames).all():
            raise UnusableFileError("The sound holds values that are no numbers.", "Export it again from its source.")
        own = math.ceil(len(frames) / TIME_STRIDE)
        return fill_with_silence(frames, self._shortest_frames, PASST_LOG_MEL.silence), own

    @torch.inference_mode()
    def hear(self, windows: Sequence[FloatArray]) -> Heard:
        """Windows of samples (n_i,), each at most a window long."""
        summaries: list[Tensor] = []
        frames: list[Tensor] = []
        logits: list[Tensor] = []
        for window in windows:
            filled, own = self.log_mel(window)
            mel = torch.from_numpy(filled)[None].to(self._device)
            summary, over_time, logit = self._listen(mel)
            summaries.append(summary)
            frames.append(over_time[0, :own])
            logits.append(logit)
        padded = nn.utils.rnn.pad_sequence(frames, batch_first=True)
        lengths = torch.tensor([len(own) for own in frames], device=self._device)
        mask = torch.arange(padded.shape[1], device=self._device) < lengths[:, None]
        clip = place_clips(torch.cat(summaries), padded, mask, self._trunk, self.head, stretches=self.decoder.stretches)
        return Heard(
            frames=padded,
            frame_mask=mask,
            clip=clip,
            embedding=clip[:, : self.decoder.clip_dimension],
            classes=np.asarray(torch.cat(logits).sigmoid().cpu().numpy()),
            kinds=self.kinds(clip),
        )

    def _listen(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if self._folded is not None:
            return self._folded.listen(mel)
        embedding, frames, logits = self._trunk(mel)
        tapped = self._trunk.summary_dimension > self._trunk.dimension
        return self._trunk.summarise(mel)[0] if tapped else embedding, frames, logits

    @torch.inference_mode()
    def kinds(self, clip: Tensor) -> FloatArray:
        """Clips (b, (1 + q) e + s) -> probabilities of the kinds of sound (b, k)."""
        whole = clip[:, : self.decoder.clip_dimension].to(self._device)
        return np.asarray(self._kinds(whole).softmax(dim=-1).cpu().numpy())

    def write(self, audio: AudioFeatures) -> list[list[GeneratedCaption]]:
        """For each clip its captions, best first."""
        found = generate_captions(self.decoder, audio, content_words=self._content, config=self._generation)
        votes = self._recall(audio)
        return agreed(
            self._with_remembered(audio, found, votes),
            self.vocabulary,
            sharpness=self._writing.consensus,
            votes=votes,
            votes_share=self._writing.memory.share,
        )

    @torch.inference_mode()
    def _recall(self, audio: AudioFeatures) -> list[list[Vote]]:
        """What known sounds have to say of each clip."""
        if self._memory is None or audio.clip is None or not self._writing.memory.share:
            return [[] for _ in range(len(audio))]
        asked = self._writing.memory
        whole = audio.clip[:, : self.decoder.clip_dimension].to(self._device)
        return self._memory.recall(whole, nearest=asked.nearest, sharpness=asked.sharpness)

    def _with_remembered(
        self, audio: AudioFeatures, found: list[list[GeneratedCaption]], votes: Sequence[Sequence[Vote]]
    ) -> list[list[GeneratedCaption]]:
        """The captions that were found, and behind them those of known sounds, with their likelihood here."""
        rows: list[int] = []
        captions: list[tuple[int, ...]] = []
        for row, (own, remembered) in enumerate(zip(found, votes, strict=True)):
            there = {caption.tokens for caption in own}
            new = [vote.tokens for vote in remembered if vote.tokens not in there]
            rows += [row] * len(new)
            captions += new
        together = [list(own) for own in found]
        for begin in range(0, len(rows), _SCORED_AT_ONCE):
            part = rows[begin : begin + _SCORED_AT_ONCE]
            told = captions[begin : begin + _SCORED_AT_ONCE]
            losses = score_pairs(self.decoder, audio.select(torch.tensor(part)), told)
            for row, tokens, loss in zip(part, told, losses.tolist(), strict=True):
                together[row].append(GeneratedCaption(tokens, -loss))
        return together


def place_clips(
    summaries: Tensor, frames: Tensor, mask: Tensor, trunk: MobileNetTrunk, head: nn.Module, *, stretches: int
) -> Tensor:
    """Clips (b, d) and the stretches of their frames (b, t, d) in the space of texts: (b, (1 + q) e).

    A mean of frames is to a stretch what the trunk's embedding is to the whole clip. Where the trunk tells of more
    than its last block, clips are summaries (b, s) that begin with the embedding, and follow as they are:
    (b, (1 + q) e + s). A head that is told of all of a summary places whole clips alone.

    Raises:
        ValueError: There are stretches for such a head.
    """
    embeddings = summaries[:, : trunk.dimension]
    if takes_summaries(head, trunk):
        if stretches:
            raise ValueError("a head that is told of more than frames hold cannot place a stretch of a clip")
        placed: Tensor = head(summaries, trunk.classifier(embeddings))
    else:
        parts = torch.cat([embeddings[:, None], stretch_means(frames, mask, stretches)], dim=1)
        flat = parts.flatten(0, 1)
        placed = head(flat, trunk.classifier(flat)).view(len(summaries), -1)
    return torch.cat([placed, summaries], dim=1) if trunk.summary_dimension > trunk.dimension else placed


def takes_summaries(head: nn.Module, trunk: MobileNetTrunk) -> bool:
    """Whether a head is told of a trunk's whole summary and not of its embedding alone.

    Raises:
        ValueError: It is told of neither.
    """
    inputs = int(head.trunk_dimension)  # type: ignore[arg-type]
    if inputs not in (trunk.dimension, trunk.summary_dimension):
        known = f"{trunk.dimension} or {trunk.summary_dimension}"
        raise ValueError(f"the head takes {inputs} numbers of a sound, and the trunk gives {known}")
    return inputs != trunk.dimension


def agreed(
    found: list[list[GeneratedCaption]],
    vocabulary: Vocabulary,
    *,
    sharpness: float,
    votes: Sequence[Sequence[Vote]] | None = None,
    votes_share: float = 0.0,
) -> list[list[GeneratedCaption]]:
    """The captions of each clip in the order of their consensus; with a sharpness of 0 as they are."""
    if not sharpness:
        return found
    content = vocabulary.content_words()
    return [
        by_consensus(
            own, sharpness=sharpness, content_words=content, ends=(EOS,), votes=voting, votes_share=votes_share
        )
        for own, voting in zip(found, [()] * len(found) if votes is None else votes, strict=True)
    ]


def generation_config(vocabulary: Vocabulary, *, beams: int, shortest: int, longest: int) -> GenerationConfig:
    """How sentences are searched that end where a sentence may end and hold no unknown word."""
    open_words = tuple(number for word in OPEN_WORDS if (number := vocabulary.number(word)) is not None)
    return GenerationConfig(
        beams=beams, shortest=shortest, longest=longest, never=(PAD, BOS, UNK), open_words=open_words
    )


@dataclass(frozen=True, slots=True)
class WordsFile:
    """The content of `words.json`.

    Attributes:
        vocabulary: The decoder's words.
        classes: Names of the tagger's classes, in its order.
        kinds: Names of the kinds of sound.
    """

    vocabulary: Vocabulary
    classes: tuple[str, ...]
    kinds: tuple[str, ...]


def read_words(card: CaptionerCard, content: bytes) -> WordsFile:
    """`words.json`.

    Raises:
        ModelError: It is something else.
    """
    try:
        parts = json.loads(content)
        lists = [parts[name] for name in ("words", "classes", "kinds")]
    except (ValueError, KeyError, TypeError) as error:
        raise _mismatch(card, f"{WORDS_FILE} cannot be read ({error!r})") from error
    if not all(isinstance(part, list) and all(isinstance(word, str) for word in part) for part in lists):
        raise _mismatch(card, f"{WORDS_FILE} holds something other than words")
    return WordsFile(Vocabulary(lists[0]), tuple(lists[1]), tuple(lists[2]))


def assemble_writer(card: CaptionerCard, words: WordsFile, weights: bytes, *, device: Device) -> CaptionWriter:
    """The modules that a card names, filled with their weights.

    Raises:
        ModelError: Card and weights do not belong together, or CUDA was demanded and there is none.
    """
    if card.sample_rate_hz != PASST_LOG_MEL.sample_rate_hz:
        raise _mismatch(card, f"its trunk takes {PASST_LOG_MEL.sample_rate_hz} Hz, not {card.sample_rate_hz}")
    try:
        state = {name: value.float() for name, value in load(weights).items()}
    except SafetensorError as error:
        raise _mismatch(card, f"{WEIGHTS_FILE} cannot be read ({error})") from error
    parts = card.architecture
    trunk = _filled(card, lambda: _create_trunk(parts.trunk.name, **parts.trunk.options), state, "trunk.")
    head = _filled(card, lambda: create_audio_head(parts.audio_head.name, **parts.audio_head.options), state, "head.")
    decoder = _filled(card, lambda: create_decoder(parts.decoder.name, parts.decoder.options), state, "decoder.")
    kinds = _filled(card, lambda: nn.Linear(decoder.clip_dimension, len(words.kinds)), state, "kinds.")
    memory = _memory(card, parts.memory, state, decoder)
    if decoder.vocabulary_size != len(words.vocabulary):
        raise _mismatch(card, f"its decoder knows {decoder.vocabulary_size} words, not {len(words.vocabulary)}")
    if trunk.classes != len(words.classes):
        raise _mismatch(card, f"its tagger has {trunk.classes} classes, not {len(words.classes)}")
    try:
        if takes_summaries(head, trunk) and decoder.stretches:
            raise ValueError("its head cannot place the stretches that its decoder wants")
    except ValueError as error:
        raise _mismatch(card, str(error)) from error
    return CaptionWriter(
        trunk=trunk,
        head=head,
        kinds=kinds,
        decoder=decoder,
        memory=memory,
        vocabulary=words.vocabulary,
        card=card,
        device=device,
    )


def _memory(
    card: CaptionerCard, spec: ModuleSpec | None, state: Mapping[str, Tensor], decoder: PrefixedCaptionDecoder
) -> CaptionMemory | None:
    if spec is None:
        return None
    memory = _filled(card, lambda: create_memory(spec.name, spec.options), state, "memory.")
    dimension, words = memory.embeddings.shape[1], int(memory.captions.max())
    if dimension != decoder.clip_dimension or not 0 <= words < decoder.vocabulary_size or memory.captions.min() < 0:
        raise _mismatch(card, "its memory is of sounds or words that its decoder does not know")
    return memory


def create_decoder(name: str, options: Mapping[str, Any]) -> PrefixedCaptionDecoder:
    """A decoder by its name on the card.

    Raises:
        ValueError: There is no such decoder.
    """
    if name != "prefixed-transformer":
        raise ValueError(f"there is no caption decoder {name!r}")
    return PrefixedCaptionDecoder(**options)


def create_memory(name: str, options: Mapping[str, Any]) -> CaptionMemory:
    """A memory by its name on the card.

    Raises:
        ValueError: There is no such memory.
    """
    if name != "known-sounds":
        raise ValueError(f"there is no caption memory {name!r}")
    return CaptionMemory(**options)


def _create_trunk(name: str, **options: Any) -> MobileNetTrunk:
    encoder = create_encoder(name, **options)
    if not isinstance(encoder, MobileNetEncoder):
        raise ValueError(f"{name} cannot be the trunk of a captioner")
    return encoder.trunk


def _filled(card: CaptionerCard, create: Callable[[], _Module], state: Mapping[str, Tensor], prefix: str) -> _Module:
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    try:
        module = create()
        module.load_state_dict(own)
    except (TypeError, ValueError, RuntimeError, ModelError) as error:
        raise _mismatch(card, f"{prefix.rstrip('.')} does not fit its weights ({error})") from error
    return module.eval().requires_grad_(False)


def _mismatch(card: CaptionerCard, what: str) -> ModelError:
    said = textwrap.shorten(what, 300, placeholder=" ...")
    return ModelError(f"The captioning model {card.id} is not what its card says: {said}.", _WAY_OUT)
