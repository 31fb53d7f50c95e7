from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from dataset_layout import RATE_HZ, write_clotho, write_manifest_lines, write_sound
from typer.testing import CliRunner

from training.data.dataset import Clip, Dataset
from training.data.description import check_samples, describe, look_at_files
from training.data.layout import load_dataset
from training.describe import register
from training.metrics.lexical import mtld

APP = typer.Typer()
register(APP)


def bad_folder(folder: Path) -> Path:
    """One good sound and one of each kind of bad ones."""
    write_sound(folder / "good.wav", duration_s=2.0)
    write_sound(folder / "short.wav", duration_s=0.01)
    write_sound(folder / "silent.wav", level=0.0)
    time_s = np.arange(RATE_HZ) / RATE_HZ
    soundfile.write(folder / "clipped.wav", np.clip(4 * np.sin(1000 * time_s), -1, 1), RATE_HZ, subtype="FLOAT")
    (folder / "broken.wav").write_bytes((folder / "good.wav").read_bytes()[:2000])
    (folder / "empty.wav").write_bytes(b"")
    names = ["good", "short", "silent", "clipped", "broken", "empty", "gone"]
    lines = [{"file": f"{name}.wav", "captions": [f"A {name} sound", "Noise"], "split": "train"} for name in names]
    return write_manifest_lines(folder, lines)


def test_that_counts_and_words_are_right() -> None:
    clips = (
        Clip(
            "a", Path("a.wav"), ("A dog barks.", "Dog's bark, high-pitched"), "train", 1800.0, licence="CC0", group="g"
        ),
        Clip("b", Path("b.wav"), ("A dog barks.",), "train", 3600.0, licence="CC0", group="g"),
        Clip("c", Path("c.wav"), ("Rain",), "test", math.nan, group="g"),
    )
    found = describe(Dataset("small", clips))
    train, whole = found.splits["train"], found.splits["all"]
    assert (train.clips, train.groups, train.captions, train.distinct_captions) == (2, 1, 3, 2)
    assert (train.hours, train.timed, found.splits["test"].hours, whole.hours) == (1.5, 2, None, 1.5)
    assert (train.vocabulary, train.once) == (6, 3)
    assert (train.words_of_a_caption.least, train.words_of_a_caption.mean, train.words_of_a_caption.most) == (3, 3, 3)
    texts = ["a dog barks dog's bark high-pitched".split(), "a dog barks".split()]
    assert train.mtld.mean == pytest.approx(np.mean([mtld(text) for text in texts]))
    assert found.torn_groups == ("g",)
    assert found.licences == {"CC0": 2, "not stated": 1}
    assert found.common_words["dog"] == 2


def test_that_headers_tell_broken_and_short_files(tmp_path: Path) -> None:
    dataset = load_dataset(bad_folder(tmp_path))
    durations_s, complaints = look_at_files(dataset.clips, decode=False)
    assert {(one.kind, one.id) for one in complaints} == {
        ("shorter than a frame", "short.wav"),
        ("cannot be read", "broken.wav"),
        ("cannot be read", "empty.wav"),
    }
    assert durations_s["good.wav"] == 2.0
    assert math.isnan(durations_s["broken.wav"])


def test_that_decoding_tells_silence_and_clipping_too(tmp_path: Path) -> None:
    dataset = load_dataset(bad_folder(tmp_path))
    _, complaints = look_at_files(dataset.clips, decode=True)
    assert {one.kind for one in complaints if one.id == "silent.wav"} == {"silent"}
    assert {one.kind for one in complaints if one.id == "clipped.wav"} == {"clipped"}
    assert not [one for one in complaints if one.id == "good.wav"]


def test_that_no_samples_at_all_are_short_and_silent() -> None:
    kinds = [kind for kind, _ in check_samples(np.zeros(0, np.float32), sample_rate_hz=32_000)]
    assert kinds == ["shorter than a frame", "silent"]


def test_that_the_command_prints_a_table_and_writes_all_of_it(tmp_path: Path) -> None:
    bad_folder(tmp_path / "data")
    result = CliRunner().invoke(APP, ["describe", str(tmp_path / "data"), "--json", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    assert "1 left out, missing file: gone.wav" in result.output
    assert "2 cannot be read: broken.wav" in result.output
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert written["splits"]["all"]["clips"] == 6
    assert written["omissions"][0]["id"] == "gone.wav"
    assert [one["id"] for one in written["complaints"]] == ["short.wav", "broken.wav", "empty.wav"]


def test_that_the_command_reads_clotho_without_looking_at_files(tmp_path: Path) -> None:
    write_clotho(tmp_path, {"development": ["a.wav"], "evaluation": ["b.wav"]})
    result = CliRunner().invoke(APP, ["describe", str(tmp_path), "--no-files"])
    assert result.exit_code == 0, result.output
    assert "not known" in result.output
    assert "Clotho" in result.output


@pytest.mark.slow
@pytest.mark.corpus
def test_that_the_corpus_has_the_hours_of_its_readme(corpus_folder: Path) -> None:
    found = describe(load_dataset(corpus_folder))
    assert found.splits["all"].hours == pytest.approx(5.9, abs=0.05)
    assert found.splits["all"].timed == 8767
    assert found.torn_groups == ()
