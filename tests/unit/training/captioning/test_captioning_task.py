"""The captioning task on sounds that are drawn at random: what a batch holds, and that it is learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_model import DIMENSION, drawn_encoder, small_parts

from core.captioning.vocabulary import BOS, EOS, PAD, Vocabulary
from training.captioning.config import CaptioningRecipe
from training.captioning.material import CaptionMaterial, SceneSet, known_words
from training.captioning.relation import SEQUENCE, SUPERPOSITION
from training.captioning.scene import Scene
from training.captioning.sound import KeptSounds
from training.data.dataset import Clip
from training.retrieval.ragged import Ragged
from training.tasks.captioning import (
    AugmentationPart,
    CaptioningTask,
    blanking,
    consensus_shares,
    log_probability,
    teacher_forced,
)

KINDS = ("dog barks", "rain falls", "door slams")
STRETCHES = 2


def recipe(**changed: object) -> CaptioningRecipe:
    fields = {
        "task": "captioning",
        "description": "For tests.",
        "data": {"batch": 8, "sampler": "one"},
        "audio": {"encoder": "mn04", "checkpoint": "earshot-base"},
        "decoder": {
            "name": "prefixed-transformer",
            "heads": 2,
            "layers": 1,
            "width": 32,
            "hidden": 32,
            "prefix": 2,
            "stretches": STRETCHES,
            "dropout": 0.0,
            "projection_dropout": 0.0,
        },
        "augmentation": {"smoothing": 0.0, "mixup": 0.0, "time_stripes": 0, "feature_stripes": 0},
        "scenes": {"count": 6, "an_epoch": 4, "batch": 4, "untruth_weight": 1.0, "unprefixed": 0.5},
    }
    return CaptioningRecipe.model_validate({**fields, **changed})


def sounds(kinds: list[int]) -> KeptSounds:
    """Each kind has a direction of its own."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((len(KINDS), 384)).astype(np.float32)
    counts = np.asarray([2 + number % 3 for number in range(len(kinds))], dtype=np.float32)
    frames = [
        directions[kind] + 0.1 * rng.standard_normal((int(n), 384)) for kind, n in zip(kinds, counts, strict=True)
    ]
    own = torch.from_numpy(directions[kinds][:, :DIMENSION])
    return KeptSounds(directions[kinds], Ragged.join([(np.concatenate(frames), counts)]), own.repeat(1, 1 + STRETCHES))


@pytest.fixture(scope="module")
def material() -> CaptionMaterial:
    kinds = [number % len(KINDS) for number in range(24)]
    clips = tuple(
        Clip(
            id=str(number),
            path=Path("x"),
            captions=(f"A {KINDS[kind]}", f"The sound of a {KINDS[kind]}"),
            split="train" if number < 18 else "valid",
            category=KINDS[kind],
        )
        for number, kind in enumerate(kinds)
    )
    words = known_words(clips, least=1, relations=(*SEQUENCE, *SUPERPOSITION))
    scenes = tuple(Scene(number, number + 1, "sequence", number) for number in range(6))
    encoder = drawn_encoder(0.4)
    return CaptionMaterial(
        clips,
        sounds(kinds),
        np.arange(18),
        Vocabulary(words),
        SceneSet(scenes, sounds([scene.first % 3 for scene in scenes])),
        encoder,
        small_parts(encoder).audio_head,
    )


def test_that_an_epoch_follows_from_the_seed_and_its_number(material: CaptionMaterial) -> None:
    task = CaptioningTask(recipe(), material)
    first, again, second = (list(task.batches(epoch)) for epoch in (1, 1, 2))
    assert len(first) == task.steps_per_epoch() == 3 + 1
    assert all(torch.equal(one.targets, other.targets) for one, other in zip(first, again, strict=True))
    assert not all(
        one.targets.shape == other.targets.shape and torch.equal(one.targets, other.targets)
        for one, other in zip(first, second, strict=True)
    )


def test_that_every_clip_is_there_once_and_scenes_have_an_untruth(material: CaptionMaterial) -> None:
    batches = list(CaptioningTask(recipe(), material).batches(1))
    of_scenes = [batch for batch in batches if batch.untrue_targets is not None]
    assert sum(len(batch.targets) for batch in batches) == 18 + 4
    assert [len(batch.targets) for batch in of_scenes] == [4]
    decode = material.vocabulary.decode
    for truth, untruth in zip(of_scenes[0].targets.tolist(), of_scenes[0].untrue_targets.tolist(), strict=True):
        assert decode(truth) != decode(untruth)


def test_that_captions_are_learned(material: CaptionMaterial) -> None:
    torch.manual_seed(0)
    task = CaptioningTask(recipe(), material)
    optimiser = torch.optim.AdamW(task.module.parameters(), lr=3e-3)
    before = task.validate()
    for epoch in range(1, 13):
        task.module.train()
        for batch in task.batches(epoch):
            loss, parts = task.loss(batch)
            assert set(parts) in ({"clips"}, {"scenes", "untruth"})
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        task.module.eval()
    after = task.validate()
    assert after["cross_entropy"] < before["cross_entropy"] / 2
    rows = material.rows("valid")
    told = task.write(rows, beams=2)
    right = [material.clips[row].category.split()[0] in text for row, text in zip(rows, told, strict=True)]
    assert all(right)


def test_that_inputs_are_the_targets_one_word_later() -> None:
    inputs, targets = teacher_forced([[5, 6, EOS], [7, EOS]])
    assert inputs.tolist() == [[BOS, 5, 6], [BOS, 7, PAD]]
    assert targets.tolist() == [[5, 6, EOS], [7, EOS, PAD]]


def test_that_stripes_blank_at_most_what_they_may() -> None:
    torch.manual_seed(0)
    blank = blanking(AugmentationPart(time_stripes=2, time_widest=3, feature_stripes=0))
    frames = torch.randn(16, 20, 4)
    changed = (blank(frames) != frames).any(dim=2).sum(dim=1)
    assert int(changed.max()) <= 6
    assert int(changed.sum()) > 0
    short = torch.randn(4, 3, 4)
    assert torch.equal(blank(short), short)


def test_that_a_batch_is_changed_while_training_alone_and_as_the_seed_says(material: CaptionMaterial) -> None:
    augmented = {"mixup": 0.4, "time_stripes": 2, "time_widest": 2, "feature_stripes": 2, "feature_widest": 8}
    task = CaptioningTask(recipe(augmentation={"smoothing": 0.0, **augmented}), material)
    batch = next(batch for batch in task.batches(1) if batch.untrue_inputs is None)

    def loss(seed: int) -> float:
        torch.manual_seed(seed)
        return float(task.loss(batch)[0].detach())

    task.module.train()
    assert loss(0) == loss(0) != loss(1)
    striped = CaptioningTask(recipe(augmentation={"smoothing": 0.0, **augmented, "mixup": 0.0}), material)
    bare = CaptioningTask(recipe(), material)
    for other in (striped, bare):
        other.module.load_state_dict(task.module.state_dict())
        other.module.eval()
    assert float(striped.loss(batch)[0].detach()) == float(bare.loss(batch)[0].detach())


def test_that_a_batch_names_its_clips_and_both_of_each_scene(material: CaptionMaterial) -> None:
    task = CaptioningTask(recipe(), material)
    told = [task.describe(batch) for batch in task.batches(1)]
    of_scenes = [own for own in told if " with " in own[0]]
    assert [len(own) for own in of_scenes] == [4]
    assert {part for name in of_scenes[0] for part in name.split(" with ")} <= {str(row) for row in range(7)}
    others = [name for own in told if own not in of_scenes for name in own]
    assert sorted(others, key=int) == [str(row) for row in range(18)]


def test_that_a_captions_probability_leaves_padding_out() -> None:
    logits = torch.randn(1, 4, 9)
    whole = log_probability(logits, torch.tensor([[5, EOS, PAD, PAD]]))
    expected = logits.log_softmax(dim=-1)
    assert float(whole) == pytest.approx(float(expected[0, 0, 5] + expected[0, 1, EOS]), abs=1e-5)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"decoder": {"name": "transformer"}}, "only a decoder with a prefix"),
        ({"audio": {"encoder": "cnn10", "checkpoint": ""}}, "made of a MobileNet's classes"),
        ({"data": {"batch": 8, "sampler": "every"}}, "draws one caption"),
        ({"scenes": {"count": 2, "an_epoch": 4}}, "an epoch cannot have 4"),
    ],
)
def test_that_a_recipe_that_cannot_be_is_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe(**changed)


def test_that_captions_that_agree_are_drawn_more_often() -> None:
    clips = [
        ("a dog barks", "a dog barks loudly", "something odd"),
        ("rain falls", "rain falls down", "heavy rain falls"),
        ("a door slams",),
    ]
    shares = consensus_shares(clips, sharpness=1.0)
    assert [pytest.approx(1.0)] * 3 == [float(own.sum()) for own in shares]
    assert shares[0][2] < min(shares[0][:2])
    assert shares[2].tolist() == [1.0]
    even = consensus_shares(clips, sharpness=0.0)
    assert even[0] == pytest.approx([1 / 3] * 3)


def test_that_a_recipe_may_prefer_what_captions_agree_on(material: CaptionMaterial) -> None:
    task = CaptioningTask(recipe(words={"consensus": 1.0}), material)
    first, again = (list(task.batches(1)) for _ in range(2))
    assert sum(len(batch.targets) for batch in first) == 18 + 4
    assert all(torch.equal(one.targets, other.targets) for one, other in zip(first, again, strict=True))
