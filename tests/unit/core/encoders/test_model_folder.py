"""Reading, checking and writing model folders."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save
from small_model import card_fields, small_parts

from core.encoders import load as load_module
from core.encoders.assembly import save_dual_encoder
from core.encoders.card import ModelCard, read_card
from core.encoders.load import available_models, find_model, load_dual_encoder, load_relevance
from core.errors import ModelError

Card = dict[str, Any]


def _edit_card(folder: Path, edit: Callable[[Card], object]) -> None:
    card = json.loads((folder / "card.json").read_text())
    edit(card)
    (folder / "card.json").write_text(json.dumps(card))


def _replace_file(folder: Path, name: str, content: bytes) -> None:
    """Replace a file and let the card agree, as somebody who builds a model by hand would."""
    (folder / name).write_bytes(content)
    record = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    _edit_card(folder, lambda card: card["files"].update({name: record}))


def test_that_what_is_saved_is_what_is_loaded(pristine_model: Path) -> None:
    parts = small_parts()
    encoder = load_dual_encoder(pristine_model, device="cpu")
    assert encoder.card.id == "earshot-small-1.2.3"
    assert encoder.card.dimension == 48
    with torch.inference_mode():
        tokens = torch.tensor([[2, 8, 9, 3]])
        expected = parts.text_head(parts.text_tower(tokens, torch.ones_like(tokens, dtype=torch.bool)))
    # The text side is stored in half precision.
    ours = torch.from_numpy(encoder.embed_text(["a dog"]))
    assert torch.nn.functional.cosine_similarity(ours, expected).item() > 0.99999


def test_that_saving_twice_gives_the_same_bytes(pristine_model: Path, tmp_path: Path) -> None:
    assert save_dual_encoder(tmp_path, small_parts(), card_fields()) == read_card(pristine_model)


def test_that_a_weight_beyond_half_precision_is_refused(tmp_path: Path) -> None:
    parts = small_parts()
    with torch.no_grad():
        parts.text_tower.bert.embeddings.word_embeddings.weight[0, 0] = 1e6
    with pytest.raises(ValueError, match="half precision"):
        save_dual_encoder(tmp_path, parts, card_fields())


def test_that_a_folder_without_a_card_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        load_dual_encoder(tmp_path / "nowhere")


def test_that_a_card_that_is_no_json_is_refused(model_folder: Path) -> None:
    (model_folder / "card.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        load_dual_encoder(model_folder)


@pytest.mark.parametrize("name", ["audio.safetensors", "text.safetensors", "tokenizer.json", "background.safetensors"])
def test_that_a_missing_file_is_named(model_folder: Path, name: str) -> None:
    (model_folder / name).unlink()
    with pytest.raises(ModelError, match=rf"incomplete.*{name} is missing"):
        load_dual_encoder(model_folder)


def test_that_a_cut_off_file_is_noticed_at_once(model_folder: Path) -> None:
    path = model_folder / "audio.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"audio\.safetensors is damaged"):
        load_dual_encoder(model_folder)


def test_that_a_flipped_bit_is_noticed_before_the_weights_are_used(model_folder: Path) -> None:
    for name in ("text.safetensors", "background.safetensors"):
        content = bytearray((model_folder / name).read_bytes())
        content[-5] ^= 1
        (model_folder / name).write_bytes(bytes(content))
    encoder = load_dual_encoder(model_folder, device="cpu")
    with pytest.raises(ModelError, match="checksum"):
        encoder.embed_text(["rain"])
    with pytest.raises(ModelError, match="checksum"):
        load_relevance(model_folder)


def test_that_weights_of_another_shape_are_refused(model_folder: Path) -> None:
    state = load_file(model_folder / "text.safetensors")
    state["tower.bert.embeddings.word_embeddings.weight"] = torch.zeros(3, 48)
    _replace_file(model_folder, "text.safetensors", save(state))
    with pytest.raises(ModelError, match=r"not what its card says.*size mismatch"):
        load_dual_encoder(model_folder, device="cpu").embed_text(["rain"])


def test_that_a_missing_weight_is_refused(model_folder: Path) -> None:
    state = load_file(model_folder / "audio.safetensors")
    del state["trunk.stem.0.weight"]
    _replace_file(model_folder, "audio.safetensors", save(state))
    with pytest.raises(ModelError, match=r"stem\.0\.weight"):
        load_dual_encoder(model_folder, device="cpu").embed_audio([torch.zeros(4000).numpy()])


@pytest.mark.parametrize("name", ["text.safetensors", "tokenizer.json"])
def test_that_a_file_of_another_kind_is_refused(model_folder: Path, name: str) -> None:
    _replace_file(model_folder, name, b"PK\x03\x04 this is something else entirely")
    with pytest.raises(ModelError, match=r"text\.safetensors cannot be read|tokenizer of the model is damaged"):
        load_dual_encoder(model_folder, device="cpu").embed_text(["rain"])


def test_that_a_background_of_another_dimension_is_refused(model_folder: Path) -> None:
    _replace_file(model_folder, "background.safetensors", save({"embeddings": torch.zeros(5, 7)}))
    with pytest.raises(ModelError, match="background"):
        load_relevance(model_folder)


def test_that_a_model_brings_its_own_turn_of_examples_or_none(model_folder: Path) -> None:
    _edit_card(model_folder, lambda card: card["calibration"].update(clip_whitening=0.5))
    background, turn = torch.nn.functional.normalize(torch.randn(5, 48), dim=1), 2.0 * torch.eye(48)
    _replace_file(model_folder, "background.safetensors", save({"embeddings": background.half()}))
    example = background[0].numpy()
    from_background = load_relevance(model_folder).example(example)
    tensors = {"embeddings": background.half(), "example_turn": turn.half()}
    _replace_file(model_folder, "background.safetensors", save(tensors))
    special = example - background.half().float().mean(dim=0).numpy()
    found = load_relevance(model_folder).example(example)
    assert np.allclose(found, special / np.linalg.norm(special), atol=1e-5)
    assert not np.allclose(found, from_background, atol=1e-3)
    _replace_file(model_folder, "background.safetensors", save({**tensors, "example_turn": turn[:7].half()}))
    with pytest.raises(ModelError, match="turn of examples"):
        load_relevance(model_folder)


def test_that_a_model_of_before_is_judged_by_the_fit_that_it_shares_with_those_of_now(model_folder: Path) -> None:
    plain = read_card(model_folder).calibration
    _edit_card(model_folder, lambda card: card["calibration"].update(verified={"lead": 1, "echo": 1, "bias": 0}))
    _replace_file(model_folder, "known.safetensors", save({"sentences": torch.ones(3, 5), "vectors": torch.ones(3, 7)}))
    assert read_card(model_folder).calibration == plain
    assert load_dual_encoder(model_folder, device="cpu").embed_text(["rain"]).shape == (1, 48)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda card: card.update(surprise=1), "surprise"),
        (lambda card: card.update(format=2), "format"),
        (lambda card: card.update(id="earshot-other-1.2.3"), "the id of"),
        (lambda card: card.update(hop_s=11), "leaves gaps"),
        (lambda card: card["files"].pop("tokenizer.json"), "not listed"),
        (lambda card: card["files"].update({"../evil": card["files"]["tokenizer.json"]}), "no plain file name"),
        (lambda card: card["calibration"]["text"].update(score=-1), "score"),
    ],
)
def test_that_a_card_of_another_kind_is_refused(
    model_folder: Path, edit: Callable[[Card], object], message: str
) -> None:
    _edit_card(model_folder, edit)
    with pytest.raises(ModelError, match=message):
        read_card(model_folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda card: card.update(dimension=47), "48 dimensions and not 47"),
        (lambda card: card["architecture"]["text_tower"]["options"].update(depth=3), "unexpected keyword"),
        (lambda card: card["architecture"]["text_tower"].update(name="bert-huge"), "no text tower named"),
        (lambda card: card["architecture"]["text_head"].update(name="other"), "no text head named"),
        (lambda card: card["architecture"]["text_head"]["options"].update(sentence_dimension=5), "does not fit"),
    ],
)
def test_that_a_card_that_does_not_fit_its_weights_is_refused(
    model_folder: Path, edit: Callable[[Card], object], message: str
) -> None:
    _edit_card(model_folder, edit)
    with pytest.raises(ModelError, match=message):
        load_dual_encoder(model_folder, device="cpu").embed_text(["rain"])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda card: card["architecture"]["trunk"].update(name="mn05"), "no audio encoder named 'mn05'"),
        (lambda card: card["architecture"]["trunk"].update(name="mn10"), "does not fit"),
        (lambda card: card["architecture"]["audio_head"].update(name="other"), "no audio head named"),
        (lambda card: card["architecture"]["audio_head"]["options"].update(trunk_dimension=5), "does not fit"),
    ],
)
def test_that_a_card_that_does_not_fit_its_trunk_is_refused(
    model_folder: Path, edit: Callable[[Card], object], message: str
) -> None:
    _edit_card(model_folder, edit)
    with pytest.raises(ModelError, match=message):
        load_dual_encoder(model_folder, device="cpu").embed_audio([torch.zeros(4000).numpy()])


def test_that_a_demand_for_cuda_without_a_gpu_is_refused(pristine_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="no CUDA device"):
        load_dual_encoder(pristine_model, device="cuda")


def test_that_a_card_needs_a_licence_and_a_command() -> None:
    with pytest.raises(ValidationError) as refusal:
        ModelCard.model_validate({})
    missing = {error["loc"][0] for error in refusal.value.errors() if error["type"] == "missing"}
    assert {"licence", "command", "origin", "data", "calibration", "files"} <= missing


def test_that_models_are_listed_newest_first_and_broken_ones_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shipped, own = tmp_path / "resources", tmp_path / "own"
    monkeypatch.setattr(load_module, "RESOURCES", shipped)
    monkeypatch.setattr(load_module, "user_models_folder", lambda: own)
    assert available_models() == ()
    with pytest.raises(ModelError, match="No model is installed"):
        find_model()
    parts = small_parts()
    for place, name, version in (
        (shipped / "models", "earshot-base", "1.9.0"),
        (own, "earshot-base", "1.10.0"),
        (own, "earshot-base", "1.9.1"),
        (own, "mine", "0.1.0"),
    ):
        save_dual_encoder(place / f"{name}-{version}", parts, {**card_fields(), "name": name, "version": version})
    (own / "broken").mkdir()
    (own / "broken" / "card.json").write_text("no")
    ids = [model.card.id for model in available_models()]
    assert ids == ["earshot-base-1.9.0", "earshot-base-1.10.0", "earshot-base-1.9.1", "mine-0.1.0"]
    assert "broken" in caplog.text
    assert find_model().card.id == "earshot-base-1.9.0"
    assert find_model("earshot-base-1.9.1").folder == own / "earshot-base-1.9.1"
    assert find_model("mine").card.version == "0.1.0"
    with pytest.raises(ModelError, match="There are: earshot-base"):
        find_model("yours")


def test_that_listing_and_calibrating_do_without_torch(pristine_model: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.encoders.load import load_relevance, available_models;"
        "import core.encoders.protocol, core.encoders.windows, core.encoders.registry;"
        f"load_relevance(Path({str(pristine_model)!r})); available_models(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
