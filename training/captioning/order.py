"""The relation of two sounds, heard part by part.

A decoder that has read few scenes writes what is heard, but hardly notices when, or what of it stands in front. Asked
about the parts of a scene one by one it does: "a dog barks, then rain falls" is so if there is a first and a second
part at all, and the dog is heard in the first and the rain in the second rather than the other way round; "a dog barks
while rain falls", with the dog in front, if there are no two parts, the dog is heard better than the rain where the
scene is loudest, and what is heard of the rain is heard where it is soft.

A scene is cut in two where what is heard changes most, and the loudest quarter, the loudest third and the softer half
of its moments are taken out; all parts are listened to anew, each by itself. How well a proposition fits a sound is
told by two witnesses: how much likelier its words are made by this sound than by an average one (the captioner), and
how surprising its similarity is (the search model; see `core.encoders.relevance`). Which of two sounds stands in front
is harder to hear; two others know it better: how well texts fit that read like the proposition (the search model's
known texts; see `core.encoders.known_text`), and how likely the tagger thinks the classes that it speaks of.

A logistic regression each weighs them for the order of a sequence and for the front of a superposition, and another
tells sequences from superpositions by how the scene changes and how far apart the propositions are heard. The loss of a
caption is a weighted sum of the loss of its words, of the probabilities that these give to what it claims, and of how
well its propositions fit wherever in the scene they fit best. All weights are fitted on scenes of validation clips
(`training.captioning.order_fit`) and stand on the card of a captioner. Nothing but the sound, the models and these is
needed.

Shape legend: n scenes or judged pairs, s samples, e search embedding, c classes of the tagger, w sentence embedding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from rich.progress import track
from torch import nn

from core.captioning.card import OrderFit
from core.captioning.prefixed import PrefixedCaptionDecoder
from core.captioning.protocol import AudioFeatures
from core.captioning.scoring import score_pairs
from core.captioning.vocabulary import Vocabulary
from core.encoders.blended_head import BlendedTextHead
from core.encoders.dual import TorchDualEncoder
from core.encoders.efficientat import MobileNetEncoder
from core.encoders.relevance import Relevance
from core.types import FloatArray, IntArray
from training.captioning.material import CaptionMaterial, SceneSet, embeddings_of, shipped_head, with_clips
from training.captioning.relation import Related, take_apart
from training.captioning.scene import compose
from training.captioning.score import pair_losses
from training.captioning.sound import KeptSounds, Listener
from training.retrieval.ragged import Ragged
from training.start import text_profile

_QUIET_S = 0.02
_MOMENT_S = 0.1
_LOUD_SHARE, _LOUDER_SHARE, _SOFT_SHARE = 0.25, 1 / 3, 0.5
_PAUSE_DB = 30.0
_NEAR_S = 0.32
_AVERAGED = 256
_NAME_TEMPERATURE = 0.03
_LEAST_PROBABILITY = 1e-4
WHOLE, BEFORE, AFTER, LOUD, SOFT, LOUDER = range(6)
"""A scene, its parts before and after the cut, and its loudest quarter, softer half and loudest third."""
_IN_FRONT = (WHOLE, LOUD, LOUDER, SOFT)


@dataclass(frozen=True, slots=True)
class CutScenes:
    """n scenes, each as a whole and in parts.

    Attributes:
        sounds: What the captioner hears in the wholes, befores, afters, loudest and softer moments; it is not asked
            about the loudest third.
        placed: (n, 6, e) these and the loudest third in the search model's space.
        tagged: (n, 6, c) the tagger's probabilities.
        change: (n, 3) how much of the frames' spread lies between the two parts, how alike these are, and how deep the
            pause between them is (10 dB).
    """

    sounds: tuple[KeptSounds, ...]
    placed: FloatArray
    tagged: FloatArray
    change: FloatArray


def cut_scenes(made: SceneSet, material: CaptionMaterial, listener: Listener) -> CutScenes:
    """Cut scenes where they change most, and listen to their parts.

    Args:
        made: Heard as wholes.
        material: Whose clips they are made of.
        listener: Hears as the captioner does; the search model that ships has the same ears.

    Raises:
        KnownError: A file cannot be read, or the search model is missing.
    """

    @lru_cache(1024)
    def sound(row: int) -> FloatArray:
        return listener.read(material.clips[row].path)

    heard: list[list[tuple[FloatArray, FloatArray]]] = [[] for _ in (BEFORE, AFTER, LOUD, SOFT, LOUDER)]
    changes: list[tuple[float, float]] = []
    for row, scene in enumerate(track(made.scenes, description="cutting", transient=True)):
        samples = compose(sound(scene.first), sound(scene.second), scene, sample_rate_hz=listener.rate_hz)
        own = made.sounds.frames.padded(np.asarray([row], dtype=np.int64))[0][0].numpy()
        cut, share = sharpest_change(own)
        place = quietest_near(samples, round(cut / len(own) * len(samples)), listener.rate_hz)
        changes.append((share, pause_db(samples, place, listener.rate_hz) / 10))
        loud, louder, soft = loud_and_soft(samples, listener.rate_hz)
        parts = (samples[:place], samples[place:], loud, soft, louder)
        for one, part in zip(heard, parts, strict=True):
            one.append(listener(part))
    sounds = [made.sounds, *(_kept(one, material) for one in heard)]
    head = shipped_head()[1]
    placed = np.stack([_placed(one, material, head) for one in sounds], axis=1)
    tagged = np.stack([_tagged(one, material) for one in sounds], axis=1)
    likeness = np.sum(placed[:, BEFORE] * placed[:, AFTER], axis=1)
    shares, pauses = np.asarray(changes).T
    change = np.stack([shares, likeness, pauses], axis=1).astype(np.float32)
    return CutScenes(tuple(sounds[:LOUDER]), placed, tagged, change)


def sharpest_change(frames: FloatArray) -> tuple[int, float]:
    """Where (t, d) frames fall apart into two parts that differ most.

    Returns:
        The first frame of the second part, and the share of all spread that lies between the parts.
    """
    count = len(frames)
    if count < 2:
        return count, 0.0
    sums = np.cumsum(frames, axis=0, dtype=np.float64)
    cuts = np.arange(1, count)
    before = sums[cuts - 1] / cuts[:, None]
    after = (sums[-1] - sums[cuts - 1]) / (count - cuts)[:, None]
    between = np.square(before - after).sum(axis=1) * cuts * (count - cuts) / count
    best = int(between.argmax())
    spread = float(np.square(frames - frames.mean(axis=0)).sum())
    return int(cuts[best]), float(between[best]) / max(spread, 1e-9)


def quietest_near(samples: FloatArray, place: int, rate_hz: int) -> int:
    """The quietest moment within a frame's length of a place in (s,) samples; at least one sample on either side."""
    step, reach = round(_QUIET_S * rate_hz), round(_NEAR_S * rate_hz)
    first = max(step, place - reach)
    last = min(len(samples) - step, place + reach)
    if first >= last:
        return max(1, min(len(samples) - 1, place))
    starts = np.arange(first, last, step)
    levels = [float(np.square(samples[start - step // 2 : start + step // 2]).mean()) for start in starts]
    return int(starts[int(np.argmin(levels))])


def pause_db(samples: FloatArray, place: int, rate_hz: int) -> float:
    """How much softer (s,) samples are around a place than on the whole; 30 dB are enough to be a pause."""
    half = max(1, round(_QUIET_S * rate_hz) // 2)
    here = float(np.square(samples[max(0, place - half) : place + half]).mean())
    whole = float(np.square(samples).mean())
    return min(_PAUSE_DB, max(0.0, 10 * math.log10(max(whole, 1e-12) / max(here, 1e-12))))


def loud_and_soft(samples: FloatArray, rate_hz: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The loudest quarter, the loudest third and the softer half of the moments of (s,) samples, in order of time.

    Where a front is loudest it hides most of what is behind it; a half would hold more of both.
    """
    step = min(round(_MOMENT_S * rate_hz), max(1, len(samples) // 2))
    starts = np.arange(0, max(len(samples) - step, 0) + 1, step)
    moments = [samples[start : start + step] for start in starts]
    levels = np.asarray([float(np.square(moment).mean()) for moment in moments])
    order = np.argsort(-levels, kind="stable")
    chosen = (
        order[: max(1, round(_LOUD_SHARE * len(moments)))],
        order[: max(1, round(_LOUDER_SHARE * len(moments)))],
        order[-max(1, int(_SOFT_SHARE * len(moments))) :],
    )
    loud, louder, soft = (np.concatenate([moments[row] for row in np.sort(rows)]) for rows in chosen)
    return loud, louder, soft


def _kept(heard: Sequence[tuple[FloatArray, FloatArray]], material: CaptionMaterial) -> KeptSounds:
    counts = np.asarray([len(frames) for _, frames in heard], dtype=np.float32)
    frames = np.concatenate([own for _, own in heard])
    kept = KeptSounds(np.concatenate([embedding for embedding, _ in heard]), Ragged.join([(frames, counts)]))
    return with_clips(kept, material.encoder, material.head, stretches=0)


def _placed(sounds: KeptSounds, material: CaptionMaterial, head: nn.Module) -> FloatArray:
    """(n, e) in the space of a head."""
    clip = with_clips(sounds, material.encoder, head, stretches=0).clip
    assert clip is not None  # There is a head.
    dimension = int(head.dimension)  # type: ignore[arg-type]
    return np.asarray(clip[:, :dimension].numpy(), dtype=np.float32)


def _tagged(sounds: KeptSounds, material: CaptionMaterial) -> FloatArray:
    """(n, c) probabilities of the classes."""
    encoder = material.encoder
    assert isinstance(encoder, MobileNetEncoder)  # Only a decoder with a prefix is judged so, and its encoder is one.
    with torch.inference_mode():
        logits = encoder.trunk.classifier(torch.from_numpy(embeddings_of(sounds, encoder)))
    return np.asarray(logits.sigmoid().numpy(), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Proposition:
    """A text as the search model and the tagger understand it.

    Attributes:
        vector: (e,) beside sounds.
        echo: (j,) mean of the search model's known texts that read like it; zeros where it knows none.
        classes: (c,) what it says of the classes, adding up to one.
    """

    vector: FloatArray
    echo: FloatArray
    classes: FloatArray


class OrderWitness:
    """How well propositions and captions fit scenes and their parts, by both models.

    Args:
        decoder: Of a captioner.
        vocabulary: Its words.
        scenes: Cut.
        search: Reads texts.
        relevance: Of that model.
        text_head: Of that model; knows the tagger's classes, and texts.
    """

    def __init__(
        self,
        decoder: PrefixedCaptionDecoder,
        vocabulary: Vocabulary,
        scenes: CutScenes,
        search: TorchDualEncoder,
        relevance: Relevance,
        text_head: BlendedTextHead,
    ) -> None:
        self._decoder = decoder
        self._vocabulary = vocabulary
        self.scenes = scenes
        self._search = search
        self._relevance = relevance
        self._text_head = text_head
        self._told: dict[tuple[int, str], FloatArray] = {}
        self._texts: dict[str, _Proposition] = {}
        self._usual: dict[str, float] = {}

    def words(self, rows: IntArray, captions: Sequence[str]) -> FloatArray:
        """(n,) log-probability of whole captions."""
        losses = pair_losses(self._decoder, self._vocabulary, self.scenes.sounds[WHOLE], rows, captions)
        return np.asarray(-losses * self._lengths(captions), dtype=np.float32)

    def told(self, rows: IntArray, propositions: Sequence[str]) -> FloatArray:
        """(n, 5) how much likelier each proposition is in its scene and the parts of it than in an average sound."""
        asked = list(zip(rows.tolist(), propositions, strict=True))
        # A true and a false caption of a scene have their propositions in common.
        new = [pair for pair in dict.fromkeys(asked) if pair not in self._told]
        if new:
            own, texts = np.asarray([row for row, _ in new], dtype=np.int64), [text for _, text in new]
            usual, lengths = self._usually(texts), self._lengths(texts)
            losses = [pair_losses(self._decoder, self._vocabulary, sounds, own, texts) for sounds in self.scenes.sounds]
            told = np.stack([usual - lengths * loss for loss in losses], axis=1).astype(np.float32)
            self._told.update(zip(new, told, strict=True))
        return np.stack([self._told[pair] for pair in asked])

    def meant(self, rows: IntArray, texts: Sequence[str]) -> FloatArray:
        """(n, 6) how surprising the similarity of each text to its scene and the parts of it is."""
        return np.stack(
            [
                self._relevance.features(own.vector, self.scenes.placed[row] @ own.vector)[:, 1]
                for row, own in zip(rows, self._understood(texts), strict=True)
            ]
        )

    def echoed(self, rows: IntArray, texts: Sequence[str]) -> FloatArray:
        """(n, 6) how well known texts that read like each text fit its scene and the parts of it.

        Zeros where the search model knows no texts.
        """
        return np.stack(
            [
                self.scenes.placed[row][:, : len(own.echo)] @ own.echo
                for row, own in zip(rows, self._understood(texts), strict=True)
            ]
        )

    def named(self, rows: IntArray, texts: Sequence[str]) -> FloatArray:
        """(n, 6) log-probability of the classes that each text speaks of, in its scene and the parts of it."""
        likely = [self.scenes.tagged[row] @ own.classes for row, own in zip(rows, self._understood(texts), strict=True)]
        return np.asarray(np.log(np.stack(likely) + _LEAST_PROBABILITY), dtype=np.float32)

    def _understood(self, texts: Sequence[str]) -> list[_Proposition]:
        new = sorted({text for text in texts if text not in self._texts})
        if new:
            sentences = torch.from_numpy(self._search.embed_sentences(new))
            classes = text_profile(sentences, self._text_head.class_names, temperature=_NAME_TEMPERATURE).numpy()
            echo = self._text_head.echo
            echoes = np.zeros((len(new), 1), dtype=np.float32) if echo is None else echo(sentences).numpy()
            for text, *own in zip(new, self._search.embed_text(new), echoes, classes, strict=True):
                self._texts[text] = _Proposition(*own)
        return [self._texts[text] for text in texts]

    def _usually(self, propositions: Sequence[str]) -> FloatArray:
        """(n,) loss of whole propositions for an average sound."""
        new = sorted({text for text in propositions if text not in self._usual}, key=len)
        average = average_sound(self._decoder)
        for begin in range(0, len(new), _AVERAGED):
            part = new[begin : begin + _AVERAGED]
            losses = score_pairs(
                self._decoder,
                average.select(torch.zeros(len(part), dtype=torch.long)),
                [self._vocabulary.encode(text) for text in part],
            )
            self._usual.update(zip(part, (losses.numpy() * self._lengths(part)).tolist(), strict=True))
        return np.asarray([self._usual[text] for text in propositions], dtype=np.float32)

    def _lengths(self, captions: Sequence[str]) -> FloatArray:
        return np.asarray([len(self._vocabulary.encode(caption)) for caption in captions], dtype=np.float32)


def average_sound(decoder: PrefixedCaptionDecoder) -> AudioFeatures:
    """A single frame with all means of what a decoder has learned from."""
    frames = decoder.frame_mean[None, None]
    parts = [decoder.clip_mean.repeat(1 + decoder.stretches)]
    if decoder.summary_dimension:
        parts.append(decoder.summary_mean)
    return AudioFeatures(frames, torch.ones(1, 1, dtype=torch.bool), torch.cat(parts)[None])


@dataclass(frozen=True, slots=True)
class Leads:
    """What speaks for each of n claims, before it is weighed.

    Attributes:
        sequence: (n,) True where the caption claims an order.
        order: (n, 2) how much better the propositions fit the parts as claimed than the other way round, by both
            witnesses.
        front: (n, 8) how much better the first fits the whole, the loudest quarter, the loudest third and the softer
            half than the second, by known texts and by the tagger.
        fit: (n, 2) both propositions where they fit best.
    """

    sequence: np.ndarray
    order: FloatArray
    front: FloatArray
    fit: FloatArray


def leads(witness: OrderWitness, rows: IntArray, claims: Sequence[Related]) -> Leads:
    """Ask all witnesses about the parts of captions."""
    order, front, fit = [], [], []
    for ask in (witness.told, witness.meant):
        first = ask(rows, [claim.first for claim in claims])
        second = ask(rows, [claim.second for claim in claims])
        order.append(first[:, BEFORE] + second[:, AFTER] - second[:, BEFORE] - first[:, AFTER])
        fit.append(first.max(axis=1) + second.max(axis=1))
    for ask in (witness.echoed, witness.named):
        lead = ask(rows, [claim.first for claim in claims]) - ask(rows, [claim.second for claim in claims])
        front += [lead[:, part] for part in _IN_FRONT]
    return Leads(
        np.asarray([claim.relation == "sequence" for claim in claims]),
        *(np.stack(own, axis=1).astype(np.float32) for own in (order, front, fit)),
    )


def log_sigmoid(odds: FloatArray) -> FloatArray:
    """log 1 / (1 + exp(-x))."""
    return np.asarray(-np.logaddexp(0.0, -odds), dtype=np.float32)


def weigh_claims(witness: OrderWitness, fit: OrderFit, rows: IntArray, captions: Sequence[str]) -> FloatArray:
    """(n, 6) log-probability of the words; of the relation; of the order, or the front; fit of the propositions by the
    captioner's and by the search model's word; the latter's word on the caption as a whole.

    A caption of one proposition claims nothing: its second and third number are zero, and its fit is its own. Of two
    sounds at once the words count as those of both orders on average: which of them a decoder likes to name first says
    less of the front than the others know, and talks them down.
    """
    related = [take_apart(caption, front=True) for caption in captions]
    claims = [
        own if own is not None else Related(text, "while", text) for own, text in zip(related, captions, strict=True)
    ]
    asked = leads(witness, rows, claims)
    sequence = np.asarray(signs_of_sequence(witness.scenes.change[rows], asked) @ np.asarray(fit.relation))
    relation = log_sigmoid(np.where(asked.sequence, sequence, -sequence))
    order = log_sigmoid(
        np.where(asked.sequence, asked.order @ np.asarray(fit.order), asked.front @ np.asarray(fit.front))
    )
    alone = np.asarray([own is None for own in related])
    words = witness.words(rows, captions)
    at_once = np.flatnonzero(~asked.sequence & ~alone)
    if len(at_once):
        turned = [claims[row].inverted().text() for row in at_once]
        words[at_once] = (words[at_once] + witness.words(rows[at_once], turned)) / 2
    terms = [
        words,
        np.where(alone, 0, relation),
        np.where(alone, 0, order),
        *asked.fit.T,
        witness.meant(rows, captions)[:, WHOLE],
    ]
    return np.stack(terms, axis=1).astype(np.float32)


def signs_of_sequence(change: FloatArray, asked: Leads) -> FloatArray:
    """What speaks for one sound following the other: (n, 3) changes of scenes -> (n, 6) these, how far apart the
    propositions are heard by both witnesses, and one."""
    return np.concatenate([change, np.abs(asked.order), np.ones((len(change), 1))], axis=1).astype(np.float32)


class OrderedLoss:
    """The loss of captions for their own scenes, order and all (see above): a `PairLoss`.

    Args:
        witness: Of the scenes.
        fit: Weights.
    """

    def __init__(self, witness: OrderWitness, fit: OrderFit) -> None:
        self._witness = witness
        self._fit = fit

    def __call__(self, rows: IntArray, captions: Sequence[str]) -> FloatArray:
        """Of each caption for its own sound, (n,); lower is better."""
        terms = weigh_claims(self._witness, self._fit, rows, captions)
        return np.asarray(-(terms @ np.asarray(self._fit.weights)), dtype=np.float32)
