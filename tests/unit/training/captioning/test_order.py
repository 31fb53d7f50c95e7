"""The judgement of order on sounds whose parts are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pydantic import ValidationError
from small_model import drawn_encoder

from core.captioning.card import OrderFit
from core.captioning.vocabulary import Vocabulary
from core.encoders.card import Calibration, LogisticFit
from core.encoders.known_text import TextEcho
from core.encoders.relevance import Relevance
from core.types import FloatArray, IntArray
from training.captioning.material import CaptionMaterial, SceneSet, shipped_head, with_clips
from training.captioning.order import (
    AFTER,
    BEFORE,
    LOUD,
    LOUDER,
    SOFT,
    WHOLE,
    CutScenes,
    OrderedLoss,
    OrderWitness,
    cut_scenes,
    loud_and_soft,
    pause_db,
    quietest_near,
    sharpest_change,
)
from training.captioning.order_fit import fit_order
from training.captioning.relation import SEQUENCE, join
from training.captioning.scene import Scene, compose
from training.captioning.sound import Listener, hear_clips, hear_scenes
from training.data.cache import ArrayCache
from training.data.dataset import Clip
from training.perturb import PAPER, Contrast, accuracies, contrasts
from training.retrieval.config import AudioPart

RATE_HZ = 8000
KINDS = 6


def test_that_a_scene_is_cut_where_it_changes() -> None:
    rng = np.random.default_rng(0)
    frames = np.concatenate([rng.normal(0, 1, (5, 8)), rng.normal(4, 1, (9, 8))]).astype(np.float32)
    place, share = sharpest_change(frames)
    assert place == 5
    assert share > 0.5
    assert sharpest_change(rng.normal(0, 1, (14, 8)).astype(np.float32))[1] < 0.5


def test_that_a_single_frame_has_no_parts() -> None:
    assert sharpest_change(np.ones((1, 8), dtype=np.float32)) == (1, 0.0)


def test_that_the_cut_falls_into_the_pause_nearby() -> None:
    samples = np.ones(2 * RATE_HZ, dtype=np.float32)
    samples[9000:9600] = 0.0
    assert 9000 <= quietest_near(samples, 8000, RATE_HZ) < 9600
    assert 0 < quietest_near(np.ones(10, dtype=np.float32), 10, RATE_HZ) < 10


def test_that_a_pause_is_as_deep_as_it_is_soft() -> None:
    samples = np.ones(2 * RATE_HZ, dtype=np.float32)
    assert pause_db(samples, RATE_HZ, RATE_HZ) == pytest.approx(0.0, abs=1e-6)
    samples[RATE_HZ - 400 : RATE_HZ + 400] = 0.1
    assert pause_db(samples, RATE_HZ, RATE_HZ) == pytest.approx(20.0, abs=0.5)
    samples[RATE_HZ - 400 : RATE_HZ + 400] = 0.0
    assert pause_db(samples, RATE_HZ, RATE_HZ) == 30.0


def test_that_louder_and_softer_moments_are_told_apart() -> None:
    samples = np.tile(np.repeat(np.asarray([1.0, 0.1], dtype=np.float32), RATE_HZ // 2), 2)
    loud, louder, softer = loud_and_soft(samples, RATE_HZ)
    # A quarter, a third and a half of twenty moments in two seconds.
    assert [round(len(part) / RATE_HZ * 10) for part in (loud, louder, softer)] == [5, 7, 10]
    assert (loud.min(), louder.min(), softer.max()) == (1.0, 1.0, pytest.approx(0.1))
    assert all(len(part) for part in loud_and_soft(np.ones(1, dtype=np.float32), RATE_HZ))


def test_that_a_scene_is_heard_in_its_parts(tmp_path: Path) -> None:
    """A low tone and then a high one; and a low knock in front of the high tone."""
    encoder, head = drawn_encoder(0.4, taps=(2, 5, 9, 11, 14), mel_summary=True), shipped_head()[1]
    listener, cache = Listener(encoder, AudioPart(shortest_s=1.0)), ArrayCache(tmp_path / "cache")
    time_s = np.arange(3 * listener.rate_hz // 2) / listener.rate_hz
    low, high = (np.sin(2 * np.pi * frequency_hz * time_s) for frequency_hz in (300, 4000))
    clips = tuple(
        Clip(name, tmp_path / f"{name}.wav", (f"A {name}",), "valid", 1.5) for name in ("low", "high", "knock")
    )
    for clip, sound in zip(clips, (low, high, np.where(time_s < 0.5, low, 0.0)), strict=True):
        soundfile.write(clip.path, 0.5 * sound, listener.rate_hz)
    scenes = (Scene(0, 1, "sequence", 7), Scene(2, 1, "superposition", 7))
    made = SceneSet(scenes, with_clips(hear_scenes(scenes, clips, listener, cache), encoder, head, stretches=0))
    alone = with_clips(hear_clips(clips, listener, cache), encoder, head, stretches=0)
    material = CaptionMaterial(clips, alone, np.arange(3), Vocabulary(()), None, encoder, head)
    cut = cut_scenes(made, material, listener)

    assert cut.sounds[WHOLE] is made.sounds
    assert alone.clip is not None
    like_low_or_high = cut.placed[0] @ alone.clip[:2, : cut.placed.shape[2]].numpy().T
    assert like_low_or_high[[BEFORE, AFTER]].argmax(axis=1).tolist() == [0, 1]
    # The cut leaves nothing out, but for a part's last, unfinished frame; silence lies between two sounds in a row.
    whole, before, after = (cut.sounds[part].frames.counts for part in (WHOLE, BEFORE, AFTER))
    assert (abs(before + after - whole) <= 1).all()
    assert cut.change[0, 2] == pytest.approx(3.0)
    assert cut.change[1, 2] < 2.0
    behind, knock = (listener.read(clip.path) for clip in clips[1:])
    samples = compose(knock, behind, scenes[1], sample_rate_hz=listener.rate_hz)
    for part, own in zip((LOUD, LOUDER, SOFT), loud_and_soft(samples, listener.rate_hz), strict=True):
        summary = torch.from_numpy(listener(own)[0])
        with torch.inference_mode():
            classes = encoder.trunk.classifier(summary[:, : encoder.dimension])
            placed = head(summary, classes)
        assert cut.placed[1, part] == pytest.approx(placed[0].numpy(), abs=1e-3)
        assert cut.tagged[1, part] == pytest.approx(classes[0].sigmoid().numpy(), abs=1e-3)


class _Scenes:
    def __init__(self, change: FloatArray) -> None:
        self.change = change


class Hearing:
    """A witness who hears two drawn sounds in each scene, with some doubt; its words know nothing of order.

    The tagger may be as sure as the others or surer.
    """

    def __init__(self, scenes: list[tuple[int, int, bool]], doubt: float, *, tagger_doubt: float | None = None) -> None:
        self._rng = np.random.default_rng(1)
        self._known = scenes
        self._doubt = doubt
        self._tagger_doubt = doubt if tagger_doubt is None else tagger_doubt
        change = np.asarray(
            [[0.7 if follows else 0.3, 0.1 if follows else 0.8, 2.0 * follows] for _, _, follows in scenes]
        )
        self.scenes = _Scenes((change + self._rng.normal(0, 0.05, change.shape)).astype(np.float32))

    def words(self, rows: IntArray, captions: list[str]) -> FloatArray:
        return np.asarray([-len(text.split()) for text in captions], dtype=np.float32)

    def told(self, rows: IntArray, propositions: list[str]) -> FloatArray:
        return self._heard(rows, propositions, self._doubt)

    def named(self, rows: IntArray, propositions: list[str]) -> FloatArray:
        return self._heard(rows, propositions, self._tagger_doubt)

    def _heard(self, rows: IntArray, propositions: list[str], doubt: float) -> FloatArray:
        fits = np.zeros((len(rows), 6), dtype=np.float32)
        for place, (row, text) in enumerate(zip(rows, propositions, strict=True)):
            first, second, follows = self._known[row]
            said = {int(word[1:]) for word in text.split() if word.startswith("k")}
            loud = (first in said) * 1.0
            soft = (second in said) * (1.0 if follows else 0.5)
            parts = [loud, soft] if follows else [loud + soft, loud + soft]
            fits[place] = [loud + soft, *parts, *([loud + soft] * 3 if follows else [loud, soft, loud])]
        return fits + self._rng.normal(0, doubt, fits.shape).astype(np.float32)

    meant = echoed = told


def drawn(count: int, seed: int) -> list[tuple[int, int, bool]]:
    rng = np.random.default_rng(seed)
    pairs = [rng.permutation(KINDS)[:2] for _ in range(count)]
    return [(int(pair[0]), int(pair[1]), bool(rng.random() < 0.6)) for pair in pairs]


def judged(scenes: list[tuple[int, int, bool]]) -> tuple[list[str], list[Contrast]]:
    rng = np.random.default_rng(0)
    captions = []
    for first, second, follows in scenes:
        words = SEQUENCE if follows else ("as", "while")
        captions.append(join(f"a k{first} sounds", f"the k{second} rings", words[int(rng.integers(len(words)))]))
    return captions, [test for row, text in enumerate(captions) for test in contrasts(row, text, rng)]


@pytest.fixture(scope="module")
def fit() -> OrderFit:
    scenes = drawn(200, seed=2)
    captions, tests = judged(scenes)
    scores = np.random.default_rng(3).normal(size=(200, 200)).astype(np.float32) + 2 * np.eye(200, dtype=np.float32)
    return fit_order(Hearing(scenes, 0.2), captions, tests, scores, top=8)


def test_that_what_was_fitted_judges_other_scenes(fit: OrderFit) -> None:
    scenes = drawn(200, seed=4)
    _, tests = judged(scenes)
    found = accuracies(OrderedLoss(Hearing(scenes, 0.2), fit), tests)
    assert set(found) == set(PAPER)
    assert all(accuracy.share > 0.85 for accuracy in found.values())


def test_that_the_order_a_decoder_likes_says_nothing_of_two_sounds_at_once(fit: OrderFit) -> None:
    class _Partial(Hearing):
        """Its words like high numbers to be named first."""

        def words(self, rows: IntArray, captions: list[str]) -> FloatArray:
            return np.asarray([50.0 * int(text[text.index(" k") + 2]) for text in captions], dtype=np.float32)

    scenes = drawn(200, seed=4)
    _, tests = judged(scenes)
    found = accuracies(OrderedLoss(_Partial(scenes, 0.2), fit), tests)
    assert found["invert/sup"].share > 0.85
    # Of two in a row they count as they are.
    assert found["invert/seq"].share < 0.85


def test_that_the_tagger_tells_what_stands_in_front_where_the_others_doubt() -> None:
    shares = []
    for tagger_doubt in (6.0, 0.2):
        captions, tests = judged(drawn(300, seed=8))
        fit = fit_order(
            Hearing(drawn(300, seed=8), 6.0, tagger_doubt=tagger_doubt),
            captions,
            tests,
            np.eye(300, dtype=np.float32),
            top=2,
        )
        others = drawn(300, seed=9)
        found = accuracies(OrderedLoss(Hearing(others, 6.0, tagger_doubt=tagger_doubt), fit), judged(others)[1])
        shares.append(found["invert/sup"].share)
    assert shares[0] < 0.75
    assert shares[1] > 0.9


class _Search:
    """Places two texts."""

    def embed_text(self, texts: list[str]) -> np.ndarray:
        return np.eye(2, dtype=np.float32)[[0 if "dog" in text else 1 for text in texts]]

    embed_sentences = embed_text


class _TextHead:
    """Names two classes, and knows a text that reads like each."""

    class_names = torch.eye(2)

    def __init__(self, vectors: torch.Tensor | None) -> None:
        self.echo = None
        if vectors is not None:
            self.echo = TextEcho(texts=2, sentence_dimension=2, dimension=2, temperature=0.05)
            self.echo.set_texts(torch.eye(2), vectors)


def test_that_a_text_is_heard_through_its_like_and_through_its_classes() -> None:
    axes = np.eye(2, dtype=np.float32)
    plain = LogisticFit(score=1, surprise=1, bias=0)
    # What follows both scores' half is for something else.
    placed = np.concatenate([np.broadcast_to(axes[:, None], (2, 6, 2)), np.ones((2, 6, 3), dtype=np.float32)], axis=2)
    tagged = np.broadcast_to(np.asarray([[0.9, 0.1], [0.0, 0.8]], dtype=np.float32)[:, None], (2, 6, 2))
    scenes = CutScenes((), placed, tagged, np.zeros((2, 3), dtype=np.float32))
    relevance = Relevance(Calibration(text=plain, clip=plain), axes)
    # The known texts say of both sounds what is said of neither otherwise: the dog's lies where the rain is heard.
    knowing, deaf = (
        OrderWitness(None, None, scenes, _Search(), relevance, _TextHead(vectors))
        for vectors in (torch.eye(2).flip(0), None)
    )
    rows, texts = np.asarray([0, 0, 1]), ["a dog barks", "rain falls", "a dog barks"]
    assert knowing.echoed(rows, texts)[:, 0] == pytest.approx([0.0, 1.0, 1.0], abs=1e-3)
    assert knowing.named(rows, texts)[:, 5] == pytest.approx(np.log([0.9, 0.1, 1e-4]), abs=2e-3)
    assert not deaf.echoed(rows, texts).any()


def test_that_an_older_cards_judgement_is_read_and_known_to_be_outdated(fit: OrderFit) -> None:
    older = OrderFit.model_validate({**fit.model_dump(), "front": fit.front[:4]})
    assert (older.is_outdated, fit.is_outdated) == (True, False)
    assert OrderFit.model_validate_json(fit.model_dump_json()) == fit
    with pytest.raises(ValidationError, match="8 factors"):
        OrderFit.model_validate({**fit.model_dump(), "front": fit.front[:7]})


def test_that_both_relations_clear_what_the_paper_reached_by_about_the_same() -> None:
    # Scenes that change less clearly than those above: then there is something to share out.
    scenes = drawn(300, seed=6)
    blurred = Hearing(scenes, 1.0)
    blurred.scenes.change += np.random.default_rng(7).normal(0, 1.0, blurred.scenes.change.shape).astype(np.float32)
    captions, tests = judged(scenes)
    scores = np.eye(300, dtype=np.float32)
    found = accuracies(OrderedLoss(blurred, fit_order(blurred, captions, tests, scores, top=8)), tests)
    clear = {name: found[name].share - PAPER[name] for name in ("replace/seq2sup", "replace/sup2seq")}
    assert max(found[name].share for name in clear) < 0.99
    assert abs(clear["replace/seq2sup"] - clear["replace/sup2seq"]) < 0.06


def test_that_a_witness_who_hears_nothing_tells_no_order(fit: OrderFit) -> None:
    scenes = drawn(300, seed=5)
    _, tests = judged(scenes)
    deaf = Hearing([(KINDS, KINDS, follows) for _, _, follows in scenes], 0.2)
    found = accuracies(OrderedLoss(deaf, fit), tests)
    assert all(abs(found[name].share - 0.5) < 0.12 for name in ("invert/seq", "invert/sup", "replace/BAT"))


def test_that_a_caption_of_one_sound_is_judged_by_its_fit(fit: OrderFit) -> None:
    scenes = [(0, 1, True), (2, 3, True)]
    loss = OrderedLoss(Hearing(scenes, 0.0), fit)
    own, other = loss(np.asarray([0, 1]), ["a k0 sounds", "a k0 sounds"])
    assert own < other
