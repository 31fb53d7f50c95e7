from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from dataset_layout import full_disk, write_manifest_lines, write_sound
from typer.testing import CliRunner

from core.audio.mono import read_mono
from training.data.cache import ArrayCache
from training.data.dataset import Clip, Dataset
from training.data.decoded import DecodedSounds, DigestIndex
from training.data.layout import load_dataset
from training.data.storage import StorageError, replace_file
from training.decode import register

APP = typer.Typer()
register(APP)
APP.command("other")(lambda: None)


def folder_of_sounds(folder: Path, count: int = 4) -> Dataset:
    for number in range(count):
        write_sound(folder / f"{number}.wav", seed=number)
    lines = [{"file": f"{number}.wav", "captions": [f"sound {number}"], "split": "train"} for number in range(count)]
    return load_dataset(write_manifest_lines(folder, lines))


def decoded_files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.wav")}


def test_that_decoded_sounds_are_exactly_what_decoding_gives(tmp_path: Path) -> None:
    dataset = folder_of_sounds(tmp_path / "data")
    loud = tmp_path / "data" / "0.wav"
    soundfile.write(loud, 1.4 * soundfile.read(loud)[0] / 0.3, 16_000, subtype="FLOAT")
    done = DecodedSounds(tmp_path / "out", sample_rate_hz=32_000).prepare(dataset).dataset
    for before, after in zip(dataset.clips, done.clips, strict=True):
        assert np.array_equal(
            read_mono(before.path, sample_rate_hz=32_000), read_mono(after.path, sample_rate_hz=32_000)
        )
        assert after.duration_s == pytest.approx(0.5)
    assert np.abs(read_mono(done.clips[0].path, sample_rate_hz=32_000)).max() > 1.0


def test_that_nothing_is_decoded_twice_and_originals_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = folder_of_sounds(tmp_path / "data")
    first = DecodedSounds(tmp_path / "out", sample_rate_hz=32_000).prepare(dataset, jobs=2)
    assert (first.decoded, first.found) == (4, 0)
    before = decoded_files(tmp_path / "out")

    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("training.data.decoded.read_mono", unexpected)
    monkeypatch.setattr("training.data.decoded.file_digest", unexpected)
    second = DecodedSounds(tmp_path / "out", sample_rate_hz=32_000).prepare(dataset)
    assert (second.decoded, second.found) == (0, 4)
    assert decoded_files(tmp_path / "out") == before
    assert second.dataset == first.dataset


def test_that_names_follow_from_content_rate_and_length(tmp_path: Path) -> None:
    dataset = folder_of_sounds(tmp_path / "data", 2)
    copy = tmp_path / "data" / "copy.wav"
    copy.write_bytes((tmp_path / "data" / "0.wav").read_bytes())
    sounds = DecodedSounds(tmp_path / "out", sample_rate_hz=32_000)
    places = {sounds.place(dataset.clips[0].path), sounds.place(copy), sounds.place(dataset.clips[1].path)}
    assert len(places) == 2
    others = [
        DecodedSounds(tmp_path / "out", sample_rate_hz=16_000),
        DecodedSounds(tmp_path / "out", sample_rate_hz=32_000, longest_s=0.1),
    ]
    assert not places & {other.place(copy) for other in others}
    place, _ = others[1].decode(copy)
    assert soundfile.info(place).duration == pytest.approx(0.1)
    write_sound(copy, seed=77)
    assert sounds.place(copy) not in places


def test_that_an_unreadable_sound_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    dataset = folder_of_sounds(tmp_path / "data")
    dataset.clips[1].path.write_bytes(b"RIFF no sound")
    gone = replace(dataset.clips[2], path=tmp_path / "data" / "gone.wav")
    clips = (*dataset.clips[:2], gone, dataset.clips[3])
    done = DecodedSounds(tmp_path / "out", sample_rate_hz=32_000).prepare(Dataset("d", clips))
    assert [clip.id for clip in done.dataset.clips] == ["0.wav", "3.wav"]
    assert [one.id for one in done.dataset.omissions] == ["1.wav", "2.wav"]
    assert not list((tmp_path / "out").rglob(".partial*"))


def test_that_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    dataset = folder_of_sounds(tmp_path / "data", 6)

    def stopped(clips: tuple[Clip, ...]):
        yield from clips[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DecodedSounds(tmp_path / "out", sample_rate_hz=32_000).prepare(dataset, progress=stopped)
    there = len(decoded_files(tmp_path / "out"))
    assert there >= 3
    with (tmp_path / "out" / "digests.jsonl").open("a", encoding="utf-8") as file:
        file.write('\n["cut sho')
    second = DecodedSounds(tmp_path / "out", sample_rate_hz=32_000).prepare(dataset)
    assert (second.decoded, second.found) == (6 - there, there)


def test_that_a_cut_line_of_the_digests_costs_no_other(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav")
    (tmp_path / "digests.jsonl").write_text('["cut sho', encoding="utf-8")
    digest = DigestIndex(tmp_path / "digests.jsonl")(path)
    assert DigestIndex(tmp_path / "digests.jsonl")._known.popitem()[1] == digest


def test_that_a_full_disk_is_told_and_keeps_what_is_decoded(tmp_path: Path) -> None:
    dataset = folder_of_sounds(tmp_path / "data", 3)
    sounds = DecodedSounds(tmp_path / "out", sample_rate_hz=32_000)
    sounds.prepare(Dataset("d", dataset.clips[:1]))
    with full_disk(after_bytes=10_000), pytest.raises(StorageError, match=r"no space left .* is kept"):
        sounds.prepare(dataset)
    assert len(decoded_files(tmp_path / "out")) == 1
    assert not list((tmp_path / "out").rglob(".partial*"))
    assert sounds.prepare(dataset).decoded == 2


def test_that_features_that_do_not_fit_on_the_disk_are_told(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path / "cache")
    cache.get("small", lambda: {"x": np.zeros(3, np.float32)})
    with full_disk(after_bytes=1000), pytest.raises(StorageError, match="no space left"):
        cache.get("large", lambda: {"x": np.random.default_rng(0).random(5000, dtype=np.float32)})
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["small.npz"]


def test_that_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        replace_file(tmp_path / "file" / "below.txt", lambda path: path.write_text("x"))
    with pytest.raises(StorageError, match="cannot be written"):
        DecodedSounds(tmp_path / "file" / "below", sample_rate_hz=32_000)


def test_that_the_commands_folder_is_a_data_set_itself(tmp_path: Path) -> None:
    dataset = folder_of_sounds(tmp_path / "data")
    dataset.clips[0].path.write_bytes(b"RIFF no sound")
    arguments = ["cache", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--rate", "16000", "--jobs", "2"]
    result = CliRunner().invoke(APP, arguments)
    assert result.exit_code == 0, result.output
    assert "3 sounds decoded, 0 were there, 1 left out" in " ".join(result.output.split())
    again = load_dataset(tmp_path / "out")
    assert [clip.captions for clip in again.clips] == [clip.captions for clip in dataset.clips[1:]]
    assert all(soundfile.info(clip.path).samplerate == 16_000 for clip in again.clips)
