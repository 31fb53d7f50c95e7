"""CLAP checkpoints of a tiny model with drawn weights, imported, held against `transformers`, and used by a library."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_clap import DIMENSION, WORDS, write_clap
from small_library import write_sound

from core.config import user_models_folder
from core.encoders.card import LogisticFit, read_card
from core.encoders.clap import ClapEncoder
from core.encoders.clap_import import Sample, calibrate, import_clap
from core.encoders.load import find_model, load_dual_encoder, load_relevance
from core.errors import CancelledError, ModelError, UnusableFileError
from core.jobs import CancelToken
from core.library import Library
from core.search.query import build_query

RATE_HZ = 48_000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[bool, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {fused: write_clap(folder / f"Tiny CLAP {fused}", fused=fused) for fused in (False, True)}


@pytest.fixture
def samples(tmp_path: Path) -> tuple[Sample, ...]:
    return tuple(
        Sample(write_sound(tmp_path / "samples" / f"{number}.wav", number, duration_s=0.3), kind, (text,))
        for number, (kind, text) in enumerate([("dog", "a dog barks"), ("dog", "a heavy dog"), ("rain", "rain falls")])
    )


def imported(source: Path, samples: tuple[Sample, ...], *, name: str = "tiny") -> ClapEncoder:
    list(import_clap(source, name=name, samples=samples))
    return load_dual_encoder(find_model(name).folder, device="cpu")


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


@pytest.mark.parametrize("fused", [False, True])
def test_that_an_imported_checkpoint_gives_what_transformers_gives(checkpoints, samples, fused):
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    folder = checkpoints[fused]
    model = ClapModel(ClapConfig.from_dict(json.loads((folder / "config.json").read_text()))).eval()
    model.load_state_dict(load_file(folder / "model.safetensors"))
    extractor = ClapFeatureExtractor.from_pretrained(folder)
    encoder = imported(folder, samples)
    assert encoder.card.dimension == DIMENSION
    sounds = [noise(10.0, 1), noise(2.5, 2)]
    features = extractor(sounds, sampling_rate=RATE_HZ, return_tensors="pt")["input_features"]
    tokens = torch.tensor([[0, WORDS.index("a"), WORDS.index("dog"), WORDS.index("barks"), 2]])
    with torch.inference_mode():
        by_sound = model.get_audio_features(features, is_longer=torch.zeros(2, 1, dtype=torch.bool)).pooler_output
        by_text = model.get_text_features(tokens, attention_mask=torch.ones_like(tokens)).pooler_output
    assert encoder.embed_audio(sounds) == pytest.approx(by_sound.numpy(), abs=2e-6)
    assert encoder.embed_text(["a dog barks"]) == pytest.approx(by_text.numpy(), abs=2e-6)


@pytest.mark.parametrize("fused", [False, True])
def test_that_embeddings_are_the_same_every_time_and_in_any_company(checkpoints, samples, fused):
    encoder = imported(checkpoints[fused], samples)
    sounds = [noise(0.7, 1), noise(12.0, 2), noise(3.0, 3)]
    together = encoder.embed_audio(sounds)
    assert np.array_equal(together, encoder.embed_audio(sounds))
    alone = np.concatenate([encoder.embed_audio([sound]) for sound in sounds])
    assert alone == pytest.approx(together, abs=1e-5)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1.0, abs=1e-5)
    stream = encoder.feature_stream()
    parts = [stream.push(part) for part in np.array_split(sounds[1], 7)] + [stream.finish()]
    assert np.array_equal(np.concatenate(parts), encoder.features(sounds[1]))
    texts = ["a dog", "rain", "a heavy door slams"]
    assert np.array_equal(encoder.embed_text(texts), np.concatenate([encoder.embed_text([text]) for text in texts]))
    assert encoder.embed_text([]).shape == encoder.embed_audio([]).shape == (0, DIMENSION)


def test_that_a_sound_of_impossible_values_is_refused(checkpoints, samples):
    encoder = imported(checkpoints[False], samples)
    with pytest.raises(UnusableFileError):
        encoder.embed_audio([np.full(480, np.nan, dtype=np.float32)])


def test_that_a_library_is_indexed_and_searched_with_an_imported_checkpoint(checkpoints, samples, tmp_path):
    events = list(import_clap(checkpoints[False], samples=samples))
    assert (events[-1].stage, events[-1].done, events[-1].total) == ("import", 4, 4)
    for number in range(2):
        write_sound(tmp_path / "sounds" / f"{number}.wav", number, duration_s=11.0 if number else 1.0)
    with Library.open(tmp_path / "library", model="tiny-clap-false", device="cpu") as library:
        list(library.index([tmp_path / "sounds"], jobs=1))
        assert library.card.id == "tiny-clap-false-1.0.0"
        assert library.status().windows == 3
        result = library.search(build_query("a dog barks"), show_all=True)
        assert len(result.hits) == 2
        nearest = library.similar(tmp_path / "samples" / "0.wav", show_all=True).hits[0]
        assert 0.0 <= nearest.relevance <= 1.0


def test_that_an_old_checkpoint_s_weights_are_read_without_executing_anything(checkpoints, samples, tmp_path):
    folder = write_clap(tmp_path / "old")
    state = load_file(folder / "model.safetensors")
    expected = imported(checkpoints[False], samples, name="plain").embed_text(["a dog"])
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    assert imported(folder, samples, name="old").embed_text(["a dog"]) == pytest.approx(expected, abs=1e-6)

    class Evil:
        def __reduce__(self):
            return (Path(tmp_path / "executed").touch, ())

    torch.save({"weight": Evil()}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be read as weights"):
        list(import_clap(folder, name="evil", samples=samples))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_that_an_incomplete_checkpoint_leaves_nothing_behind(samples, tmp_path, name):
    folder = write_clap(tmp_path / "broken")
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"holds no {name}"):
        list(import_clap(folder, samples=samples))
    assert list(user_models_folder().glob("*")) == []


def test_that_what_is_no_clap_checkpoint_is_refused(samples, tmp_path):
    folder = write_clap(tmp_path / "other")
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError, match="another model"):
        list(import_clap(folder, samples=samples))
    (folder / "config.json").write_text("[")
    with pytest.raises(ModelError, match="cannot be read"):
        list(import_clap(folder, samples=samples))


def test_that_a_checkpoint_that_lacks_weights_is_refused(samples, tmp_path):
    from safetensors.torch import save_file

    folder = write_clap(tmp_path / "lacking")
    state = load_file(folder / "model.safetensors")
    save_file(
        {name: value for name, value in state.items() if "text_projection" not in name}, folder / "model.safetensors"
    )
    with pytest.raises(ModelError, match="lacks text_projection"):
        list(import_clap(folder, samples=samples))


def test_that_a_stopped_import_leaves_nothing_behind_and_a_name_is_taken_once(checkpoints, samples):
    cancel = CancelToken()
    run = import_clap(checkpoints[False], name="tiny", samples=samples, cancel=cancel)
    next(run)
    cancel.cancel()
    with pytest.raises(CancelledError):
        list(run)
    assert list(user_models_folder().glob("*")) == []
    list(import_clap(checkpoints[False], name="tiny", samples=samples))
    with pytest.raises(ModelError, match="already"):
        list(import_clap(checkpoints[True], name="tiny", samples=samples))


def test_that_an_import_calibrates_on_known_kinds():
    rng = np.random.default_rng(0)
    kinds = [f"kind {number}" for number in range(10) for _ in range(3)]
    centres = {kind: rng.standard_normal(16) for kind in dict.fromkeys(kinds)}
    vectors = np.stack([centres[kind] + 0.3 * rng.standard_normal(16) for kind in kinds])
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    samples = tuple(Sample(Path(f"{number}.wav"), kind, (kind,)) for number, kind in enumerate(kinds))
    texts = {kind: (centre / np.linalg.norm(centre)).astype(np.float32) for kind, centre in centres.items()}
    found = calibrate(samples, vectors, lambda wanted: np.stack([texts[text] for text in wanted]))
    from core.encoders.relevance import Relevance

    relevance = Relevance(found, vectors)
    scores = vectors @ vectors[0]
    chances = relevance.relevance(vectors[0], scores, "clip")
    assert chances[1:3].min() > 0.5 > np.sort(chances[3:])[-3]
    nonsense = calibrate(samples, vectors, lambda wanted: -np.stack([texts[text] for text in wanted]))
    assert nonsense.text == LogisticFit(score=0.0, surprise=1.5, bias=-4.5)


def test_that_the_card_of_an_import_tells_what_it_is(checkpoints, samples):
    list(import_clap(checkpoints[False], name="My Clap!", samples=samples))
    folder = user_models_folder() / "my-clap"
    card = read_card(folder)
    assert (card.id, card.sample_rate_hz, card.window_s, card.hop_s) == ("my-clap-1.0.0", RATE_HZ, 10.0, 5.0)
    assert load_relevance(folder).calibration == card.calibration
    assert set(card.files) == {path.name for path in folder.iterdir()} - {"card.json"}
