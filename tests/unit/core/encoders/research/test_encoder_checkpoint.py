"""Reading official checkpoints, and what happens to files that are none."""

from __future__ import annotations

import argparse
import logging
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from encoder_numbers import drawn_encoder, noise, unfilled
from reference_parameters import draw_state
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from core.encoders.checkpoint import load_state, read_state_dict
from core.encoders.encoder_card import EncoderCard, load_encoder
from core.encoders.panns import PannsEncoder
from core.encoders.registry import UnknownEncoderError, create_encoder, encoder_config, encoder_names
from core.errors import ModelError
from training.import_checkpoint import import_checkpoint


@pytest.fixture(scope="module")
def cnn10_state() -> dict[str, torch.Tensor]:
    return draw_state(create_encoder("cnn10").trunk)


@pytest.fixture
def panns_checkpoint(cnn10_state) -> dict[str, object]:
    """As PANNs are published: the front-end's tensors among the model's, and a sampler's NumPy arrays beside."""
    front_end = {
        "spectrogram_extractor.stft.conv_real.weight": torch.zeros(513, 1, 1024),
        "logmel_extractor.melW": torch.zeros(513, 64),
    }
    sampler = {"indexes": np.arange(7), "pointers": [np.int64(3)], "generator": np.random.RandomState(1)}
    return {"iteration": 600000, "model": {**front_end, **cnn10_state}, "sampler": sampler}


@pytest.mark.parametrize("zipped", [True, False])
def test_that_a_panns_checkpoint_loads_with_its_sampler(panns_checkpoint, cnn10_state, tmp_path, caplog, zipped):
    path = tmp_path / "Cnn10_mAP=0.380.pth"
    torch.save(panns_checkpoint, path, _use_new_zipfile_serialization=zipped)
    encoder = PannsEncoder(network="cnn10")
    with caplog.at_level(logging.INFO):
        report = encoder.load_official(read_state_dict(path))
    assert "numpy" in caplog.text
    assert report.complete
    assert not report.left_over
    assert report.computed == ("spectrogram_extractor.stft.conv_real.weight", "logmel_extractor.melW")
    assert set(report.loaded) == set(cnn10_state)
    assert torch.equal(encoder.trunk.fc1.weight, cnn10_state["fc1.weight"])
    assert "2 computed here" in report.summary()


@pytest.mark.parametrize("prefix", ["model.teacher.encoder.", "encoder.encoder.frame_encoder."])
@pytest.mark.slow
def test_that_both_kinds_of_atst_checkpoints_load(prefix, tmp_path):
    with unfilled():
        encoder = create_encoder("atst-frame")
    own = {name: torch.full_like(value, 0.25) for name, value in encoder.trunk.state_dict().items()}
    official = {prefix + name: value for name, value in own.items()}
    official |= {"model.student.encoder.norm_frame.bias": torch.ones(768), "head.linear.bias": torch.ones(527)}
    path = tmp_path / "atst.ckpt"
    torch.save({"state_dict": official, "hyper_parameters": argparse.Namespace(arch="base"), "epoch": 9}, path)
    report = encoder.load_official(read_state_dict(path))
    assert report.complete
    assert report.left_over == ("model.student.encoder.norm_frame.bias", "head.linear.bias")
    assert all((value == 0.25).all() for value in encoder.trunk.state_dict().values())


class _Mine:
    """Runs something when an ordinary unpickler reads it."""

    def __init__(self, target: Path, function: object) -> None:
        self.target, self.function = target, function

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return self.function, (f"open({str(self.target)!r}, 'w').close()",)


@pytest.mark.parametrize("zipped", [True, False])
def test_that_nothing_in_a_checkpoint_is_ever_run(cnn10_state, tmp_path, zipped):
    trap, path = tmp_path / "trap", tmp_path / "model.pth"
    torch.save({"model": cnn10_state, "extra": _Mine(trap, exec)}, path, _use_new_zipfile_serialization=zipped)
    assert read_state_dict(path).keys() == cnn10_state.keys()
    assert not trap.exists()


def test_that_a_pickle_that_calls_the_system_is_refused(tmp_path):
    import os

    path = tmp_path / "model.pth"
    torch.save({"model": {"a": torch.zeros(1)}, "extra": _Mine(tmp_path / "trap", os.system)}, path)
    with pytest.raises(ModelError, match=r"model\.pth cannot be read"):
        read_state_dict(path)


def _write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")


def _write_truncated(path: Path) -> None:
    torch.save({"a": torch.zeros(10000)}, path)
    path.write_bytes(path.read_bytes()[:20000])


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("not a checkpoint at all\n"),
        lambda path: path.write_bytes(pickle.dumps([1, 2, 3])),
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        _write_zip,
        _write_truncated,
    ],
    ids=["empty", "text", "pickle", "noise", "zip", "truncated"],
)
def test_that_a_file_that_is_no_checkpoint_is_refused_by_its_name(write, tmp_path):
    path = tmp_path / "model.pth"
    write(path)
    with pytest.raises(ModelError, match=r"model\.pth") as caught:
        read_state_dict(path)
    assert caught.value.way_out


@pytest.mark.parametrize("found", [[torch.zeros(1)], {"epoch": 3}, torch.zeros(3), {"model": {"lr": 0.1}}, "text"])
def test_that_a_pickle_without_a_state_dict_is_refused(found, tmp_path):
    path = tmp_path / "model.pth"
    torch.save(found, path)
    with pytest.raises(ModelError, match="holds no state dict: expected a mapping from parameter names to tensors"):
        read_state_dict(path)


def test_that_a_missing_file_and_a_broken_safetensors_file_are_refused(tmp_path):
    with pytest.raises(ModelError, match="There is no file"):
        read_state_dict(tmp_path / "none.pth")
    broken = tmp_path / "model.safetensors"
    broken.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00garbage!")
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        read_state_dict(broken)


def test_that_a_checkpoint_of_another_architecture_is_refused(cnn10_state):
    other = {name: value for name, value in cnn10_state.items() if name.startswith("conv")}
    with torch.device("meta"):
        passt = create_encoder("passt-s-p16-s16-128-ap468")
    with pytest.raises(ModelError, match=r"no checkpoint of passt.*expected names like cls_token.*conv_block1"):
        passt.load_official(other)


def test_that_cnn14_does_not_take_cnn10(cnn10_state):
    with torch.device("meta"):
        cnn14 = create_encoder("cnn14")
    with pytest.raises(ModelError, match=r"fc1.weight of shape \(2048, 2048\), found \(512, 512\)"):
        cnn14.load_official(cnn10_state)


def test_that_a_missing_tensor_is_an_error_unless_it_is_allowed(cnn10_state):
    part = {name: value for name, value in cnn10_state.items() if not name.startswith("fc_audioset")}
    encoder = PannsEncoder(network="cnn10")
    before = encoder.trunk.fc1.weight.clone()
    with pytest.raises(ModelError, match=r"2 of 57 tensors are missing, among them fc_audioset\.weight"):
        encoder.load_official(part)
    assert torch.equal(encoder.trunk.fc1.weight, before)
    report = encoder.load_official(part, strict=False)
    assert report.missing == ("fc_audioset.weight", "fc_audioset.bias")
    assert not report.complete
    assert torch.equal(encoder.trunk.fc1.weight, part["fc1.weight"])


def test_that_batch_counts_may_be_missing():
    module = nn.BatchNorm2d(2)
    state = {name: value for name, value in module.state_dict().items() if name != "num_batches_tracked"}
    assert load_state(module, state, expected="a batch norm").complete


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    app.command("import-checkpoint")(import_checkpoint)
    return app


def test_that_import_checkpoint_writes_our_own_format(command, panns_checkpoint, tmp_path):
    path, folder = tmp_path / "Cnn10_mAP=0.380.pth", tmp_path / "cnn10"
    panns_checkpoint["model"]["augmenter.weight"] = torch.zeros(1)
    torch.save(panns_checkpoint, path)
    result = CliRunner().invoke(command, ["cnn10", str(path), "--folder", str(folder)])
    assert result.exit_code == 0, result.output
    assert "57 tensors taken over, 1 left over (augmenter.weight), 2 computed here" in result.output
    assert sorted(file.name for file in folder.iterdir()) == ["card.json", "encoder.safetensors"]
    encoder, card = load_encoder(folder)
    assert (card.parameters, card.left_over) == (5_219_279, ("augmenter.weight",))
    assert card.origin == "zenodo.org/records/3987831"
    assert card.source_file == path.name
    with torch.inference_mode():
        waveform = noise(16000, seed=1)
        assert torch.equal(encoder(waveform).embedding, drawn_encoder("cnn10")(waveform).embedding)


FRONT_END = {"spectrogram_extractor.stft.conv_real.weight": (513, 1, 1024), "logmel_extractor.melW": (513, 64)}
# How each family publishes its state dict: what is around it, what its names begin with, what lies beside it.
PUBLISHED = {
    "cnn10": ("model", "", FRONT_END),
    "cnn14": ("model", "", FRONT_END),
    "cnn14-mei": ("model", "", FRONT_END),
    "resnet38": ("model", "", FRONT_END),
    "convnext-tiny": ("model", "", FRONT_END),
    "passt-s-p16-s16-128-ap468": (None, "", {}),
    "atst-frame": ("state_dict", "model.teacher.encoder.", {"model.student.encoder.norm_frame.bias": (768,)}),
    "mn04": (None, "", {}),
    "mn10": (None, "", {}),
    "mn40": (None, "", {}),
}


def _published_checkpoint(name: str) -> dict[str, object]:
    """A checkpoint with the family's names and shapes, each tensor filled with one number of its own."""
    container, prefix, beside = PUBLISHED[name]
    with torch.device("meta"):
        own = create_encoder(name).trunk.state_dict()
    names = _official_names(own) if name.startswith("mn") else {own_name: prefix + own_name for own_name in own}
    # One number in the file, however large the tensor.
    state = {
        names[own_name]: torch.tensor(number / 100 if value.is_floating_point() else number).expand(value.shape)
        for number, (own_name, value) in enumerate(own.items())
    }
    state |= {other: torch.zeros(()).expand(shape) for other, shape in beside.items()}
    return state if container is None else {container: state, "epoch": 9}


def test_that_every_encoder_of_the_registry_has_a_published_form():
    assert set(PUBLISHED) == set(encoder_names())


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in ("cnn10", "mn04") else pytest.mark.slow) for n in PUBLISHED]
)
def test_that_import_checkpoint_takes_every_family(command, name, tmp_path):
    path, folder = tmp_path / "published.pth", tmp_path / "imported"
    torch.save(_published_checkpoint(name), path)
    with unfilled():
        result = CliRunner().invoke(command, [name, str(path), "--folder", str(folder)])
        assert result.exit_code == 0, result.output
        encoder, card = load_encoder(folder)
    (folder / "encoder.safetensors").unlink()
    config = encoder_config(name)
    assert (card.architecture, card.missing, card.licence) == (name, (), config.licence)
    assert card.licence_basis == config.licence_basis
    assert config.licence_basis in result.output
    assert card.left_over == (("model.student.encoder.norm_frame.bias",) if name == "atst-frame" else ())
    for number, (own_name, value) in enumerate(encoder.trunk.state_dict().items()):
        expected = number / 100 if value.is_floating_point() else number
        assert value.flatten()[-1].item() == pytest.approx(expected, rel=1e-6), own_name


def test_that_import_checkpoint_takes_safetensors(command, tmp_path):
    path, folder = tmp_path / "state.safetensors", tmp_path / "mn04"
    with torch.device("meta"):
        own = create_encoder("mn04").trunk.state_dict()
    names = _official_names(own)
    save_file({names[name]: torch.ones(value.shape, dtype=value.dtype) for name, value in own.items()}, path)
    result = CliRunner().invoke(command, ["mn04", str(path), "--folder", str(folder)])
    assert result.exit_code == 0, result.output
    assert load_encoder(folder)[1].parameters == 983_599


def _official_names(own: dict[str, torch.Tensor]) -> dict[str, str]:
    """EfficientAT's names of our tensors, the other way round than its importer has them."""
    from core.encoders.efficientat import BLOCKS

    names = {}
    for name in own:
        part, *rest = name.split(".")
        if part == "classifier":
            names[name] = ".".join(["classifier", str(int(rest[0]) + 2), *rest[1:]])
        elif part in ("stem", "last"):
            names[name] = ".".join(["features", "0" if part == "stem" else str(len(BLOCKS) + 1), *rest])
        else:
            index = int(rest[0])
            parts = ["expand", "depthwise", "excitation", "project"]
            if index == 0:
                parts.remove("expand")
            if not BLOCKS[index].excited:
                parts.remove("excitation")
            middle = ["conc_se_layers", "0"] if rest[1] == "excitation" else []
            names[name] = ".".join(["features", str(index + 1), "block", str(parts.index(rest[1])), *middle, *rest[2:]])
    return names


def test_that_import_checkpoint_names_the_architecture_that_does_not_fit(command, cnn10_state, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(cnn10_state, path)
    for name, expected in (("convnext-tiny", "convnext-tiny"), ("mn04", "EfficientAT")):
        result = CliRunner().invoke(command, [name, str(path), "--folder", str(tmp_path / "out")])
        assert isinstance(result.exception, ModelError)
        assert f"no checkpoint of {expected}" in str(result.exception)
    assert not (tmp_path / "out").exists()
    result = CliRunner().invoke(command, ["cnn01", str(path)])
    assert isinstance(result.exception, UnknownEncoderError)
    assert "cnn10" in result.exception.way_out


def test_that_a_folder_without_an_encoder_says_so(tmp_path):
    with pytest.raises(ModelError, match="no whole encoder"):
        load_encoder(tmp_path)
    (tmp_path / "card.json").write_text('{"architecture": "cnn10"}')
    with pytest.raises(ModelError, match="not of an encoder"):
        load_encoder(tmp_path)


def test_that_a_card_holds_only_what_it_knows():
    with pytest.raises(ValueError, match="Extra inputs"):
        EncoderCard.model_validate({"architecture": "cnn10", "colour": "red"})
