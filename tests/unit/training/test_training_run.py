"""A whole run on sounds made here: from files to a model that the core opens."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.encoders.blended_head import BlendedAudioHead, BlendedTextHead
from core.encoders.efficientat import MobileNetTrunk
from core.encoders.load import load_dual_encoder, load_relevance
from core.encoders.registry import create_encoder
from core.encoders.sentence import create_text_tower
from training.assess.source import leave_out
from training.config import Recipe, load_recipe, recipe_path
from training.data.manifest import ManifestError, read_manifest
from training.export import export, open_run
from training.material import Material, Places, gather, learned_clips
from training.measure import MODEL
from training.recipe import RecipeError
from training.run import LOG_FILE, load_run, train
from training.tower import Towers, join_towers, round_as_stored

pytestmark = pytest.mark.slow
_RATE_HZ = 32000
_KINDS = ("tone", "hiss", "clicks")
_WORDS = ("a", "low", "high", "tone", "hiss", "clicks", "sounds", "taxes", "class", "rumble")
_SETTINGS = (
    "loop.epochs=12",
    "loop.batch=8",
    "loop.extra_batch=8",
    "loop.warmup_steps=2",
    "data.background=8",
    "data.held_out_sources=[outside]",
    "data.duplicate_similarity=1.0",
    "trunk.shortest_s=0.3",
    "trunk.taps=[9, 14]",
    "trunk.mel_summary=true",
    "head.input_dropout=0.0",
    "head.input_limit=2.0",
    "loop.average=0.5",
    "head.dimension=64",
    "head.hidden=32",
    "head.dropout=0.0",
    "blend.centres=8",
    # An untrained trunk's classes say nothing: all sounds are near.
    "blend.far=-0.99",
    "blend.near=-0.98",
    # Block 9 and the log-mel.
    "blend.timbre={inputs: [[384, 896], [1408, 1792]], dimension: 8, share: 0.2}",
    "blend.known={texts: 2, levels: 2}",
    'absurd_queries=["taxes", "taxes taxes"]',
    "outside=[{name: tone, queries: [a tone], title: tone}, {name: hiss, queries: [a hiss], title: hiss}]",
)


def sound(kind: str, rng: np.random.Generator) -> np.ndarray:
    time_s = np.arange(_RATE_HZ // 2) / _RATE_HZ
    noise = rng.standard_normal(len(time_s))
    if kind == "tone":
        return 0.3 * np.sin(2 * np.pi * rng.uniform(200, 400) * time_s) + 0.001 * noise
    if kind == "hiss":
        return 0.2 * noise
    return np.where(np.arange(len(time_s)) % int(rng.integers(2000, 4000)) < 20, 0.8, 0.0) + 0.001 * noise


def write_corpus(folder: Path) -> None:
    rng = np.random.default_rng(0)
    lines = []
    for number in range(60):
        kind = _KINDS[number % 3]
        split = ("valid", "test")[number % 2] if number >= 48 else "train"
        soundfile.write(folder / f"{number}.wav", sound(kind, rng), _RATE_HZ)
        fields = {
            "id": str(number),
            "file": f"{number}.wav",
            "duration_s": 0.5,
            "source": "outside" if number in (45, 46) else "noises" if kind == "hiss" else "inside",
            "licence": "CC0-1.0",
            "licence_family": "CC0/PD",
            "category": kind,
            "group": f"{split} {kind} {number // 12}",
            "title": kind,
            "captions": [f"a {kind}", f"a {kind} sounds"],
            "split": split,
        }
        lines.append(json.dumps(fields))
    (folder / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")


def write_texts(folder: Path) -> None:
    with (folder / "audioset_class_labels_indices.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["index", "mid", "display_name"])
        for index in range(527):
            rows.writerow([index, f"/m/{index}", _WORDS[index] if index < len(_WORDS) else f"class {index}"])
    (folder / "audiocaps_train.csv").write_text("caption\na low rumble\na high tone\n", encoding="utf-8")


def set_batch_norms(trunk: MobileNetTrunk) -> None:
    """Let every map of an untrained trunk have entries near one."""
    for module in trunk.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    trunk.train()
    with torch.no_grad():
        trunk(torch.randn(4, 96, 128))


def small_towers() -> Towers:
    torch.manual_seed(0)
    trunk = create_encoder("mn04", taps=(9, 14), mel_summary=True).trunk
    assert isinstance(trunk, MobileNetTrunk)
    set_batch_norms(trunk)
    vocabulary = {"[UNK]": 0, **{word: row for row, word in enumerate(_WORDS, start=1)}}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    text = create_text_tower("minilm-l6", vocabulary=32, layers=1, hidden=64)
    round_as_stored(trunk, text)
    return join_towers(trunk, text, json.dumps(tokenizer).encode())


@pytest.fixture(scope="module")
def towers() -> Towers:
    return small_towers()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("material")
    write_corpus(folder)
    write_texts(folder)
    return Places(folder, folder, folder / "none", folder / "none", folder / "cache")


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(recipe_path("earshot-base"), _SETTINGS)


@pytest.fixture(scope="module")
def material(places: Places, towers: Towers, recipe: Recipe) -> Material:
    return gather(recipe, places, towers)


@pytest.fixture(scope="module")
def run_folder(recipe: Recipe, material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(recipe, material, folder)
    return folder


def test_that_the_loss_falls_and_every_part_is_logged(run_folder: Path) -> None:
    with (run_folder / LOG_FILE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert float(rows[-1]["nt-xent/captions/text_to_audio"]) < float(rows[0]["nt-xent/captions/text_to_audio"])
    assert "estimated-correspondence/extra/text_to_audio" in rows[0]


def test_that_the_same_seed_gives_the_same_heads(
    recipe: Recipe, material: Material, run_folder: Path, tmp_path: Path
) -> None:
    train(recipe, material, tmp_path)
    assert (tmp_path / "heads.safetensors").read_bytes() == (run_folder / "heads.safetensors").read_bytes()
    assert (tmp_path / LOG_FILE).read_text() == (run_folder / LOG_FILE).read_text()


def test_that_an_exported_run_gives_the_same_vectors_in_the_program(
    material: Material, towers: Towers, run_folder: Path, tmp_path: Path
) -> None:
    run = open_run(run_folder, material)
    card, report = export(run, towers, tmp_path)
    assert card.dimension == 64
    assert set(report.scorings) > {MODEL}
    encoder = load_dual_encoder(tmp_path, device="cpu")
    clips = material.clips[:6]
    samples = [soundfile.read(clip.path, dtype="float32")[0] for clip in clips]
    assert np.allclose(encoder.embed_audio(samples), run.sounds(clips), atol=0.02)
    texts = ["a tone", "a hiss sounds"]
    assert np.allclose(encoder.embed_text(texts), run.texts(texts), atol=0.02)
    assert load_relevance(tmp_path) is not None


def test_that_the_untrained_half_reads_phrases_less_what_every_text_is_near_to(
    recipe: Recipe, material: Material, run_folder: Path
) -> None:
    trunk_dimension = material.features.embedding.shape[1]
    _, _, text = load_run(run_folder, trunk_dimension=trunk_dimension, class_names=material.class_names)
    assert isinstance(text, BlendedTextHead)
    assert text.reader is not None
    sentences = material.sentences(["hiss", "the sound of hiss", "hiss can be heard"])
    mean = sentences.mean(axis=0)
    row = material.names.index("hiss")
    phrase = text.reader.phrases[row].numpy()
    assert np.allclose(phrase, mean / np.linalg.norm(mean), atol=1e-5)
    said = material.sentences([*material.framed_names, *material.extra_texts])
    assert float(text.reader.usual[row]) == pytest.approx(float((said @ phrase).mean()), abs=1e-5)


def test_that_known_texts_are_means_of_captions_that_read_alike(
    recipe: Recipe, material: Material, run_folder: Path, tmp_path: Path
) -> None:
    trunk_dimension = material.features.embedding.shape[1]
    _, audio, text = load_run(run_folder, trunk_dimension=trunk_dimension, class_names=material.class_names)
    assert isinstance(text, BlendedTextHead)
    assert isinstance(audio, BlendedAudioHead)
    assert text.echo is not None
    assert audio.level is not None
    captions = sorted({caption for row in material.learned for caption in material.clips[row].captions})
    sentences = torch.from_numpy(material.sentences(captions))
    nearest = (sentences @ text.echo.sentences.T).argmax(dim=1)
    features = material.features.take(material.learned)
    with torch.inference_mode():
        own = text.joined(sentences)
        levels = audio.level(audio.joined(torch.from_numpy(features.embedding), torch.from_numpy(features.logits)))
    for number, vector in enumerate(text.echo.vectors):
        if (nearest == number).any():
            assert torch.allclose(own[nearest == number].mean(dim=0), vector, atol=1e-4)
    assert len(set(nearest.tolist())) == 2
    assert float(levels.mean()) == pytest.approx(0.0, abs=1e-4)
    assert len(audio.level.vectors) == 2
    assert recipe.blend is not None
    assert recipe.blend.known is not None
    more = recipe.blend.known.model_copy(update={"texts": len(captions) + 1})
    greedy = recipe.model_copy(
        update={
            "blend": recipe.blend.model_copy(update={"known": more}),
            "loop": recipe.loop.model_copy(update={"epochs": 1}),
        }
    )
    with pytest.raises(RecipeError, match=f"{len(captions)} captions make no {len(captions) + 1} known texts"):
        train(greedy, material, tmp_path)


def test_that_held_out_sources_and_their_copies_are_not_learned_from(material: Material) -> None:
    assert not {"45", "46"} & {material.clips[row].id for row in material.learned}
    assert all(material.clips[row].split == "train" for row in material.learned)
    clips = material.clips[:3] + material.clips[45:46]
    vectors = np.asarray([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [1.0, 0.001]], np.float32)
    assert learned_clips(clips, vectors, held_out={"outside"}, duplicate_similarity=0.98) == (1, 2)


def test_that_a_source_left_out_is_not_learned_from_and_measured_by_its_own_captions(
    recipe: Recipe, material: Material, towers: Towers, tmp_path: Path
) -> None:
    settings = recipe.loop.model_copy(update={"epochs": 2})
    short = recipe.model_copy(update={"loop": settings})
    (noises,) = [
        found
        for found in leave_out(short, material, tmp_path, trunk_dimension=towers.trunk.dimension, sources=2)
        if found.source == "noises"
    ]
    assert noises.queries == len({text for clip in material.clips if clip.title == "hiss" for text in clip.captions})
    left = load_recipe(tmp_path / "noises" / "recipe.yaml")
    assert left.data.held_out_sources == ("outside", "noises")
    assert load_recipe(tmp_path / "whole" / "recipe.yaml").data.held_out_sources == ("outside",)
    heads = [(tmp_path / name / "heads.safetensors").read_bytes() for name in ("whole", "noises", "inside")]
    assert len(set(heads)) == 3


def test_that_features_come_from_the_cache_the_second_time(
    recipe: Recipe, places: Places, towers: Towers, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unexpected(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("training.data.feature._run_shard", unexpected)
    monkeypatch.setattr("training.worn_copy.run_each", unexpected)
    again = gather(recipe, places, towers)
    assert np.array_equal(again.features.logits, material.features.logits)
    assert again.worn == material.worn
    assert np.array_equal(again.copies.embedding, material.copies.embedding)


def test_that_worn_copies_are_of_what_is_learned_from_and_not_the_same(material: Material) -> None:
    assert set(material.worn) <= set(material.learned)
    originals, copies = material.worn_pairs()
    assert originals.embedding.shape == copies.embedding.shape == (len(material.worn), 1792)
    assert not np.allclose(originals.embedding, copies.embedding, atol=0.01)
    fewer = replace(material, learned=material.worn[:3])
    assert np.array_equal(fewer.worn_pairs()[1].embedding, copies.embedding[:3])


def test_that_a_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    lines = (tmp_path / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    moved = json.loads(lines[3]) | {"split": "test", "id": "x"}
    (tmp_path / "corpus.jsonl").write_text("\n".join([lines[0], lines[3], json.dumps(moved)]), encoding="utf-8")
    with pytest.raises(ManifestError, match="two splits"):
        read_manifest(tmp_path)
