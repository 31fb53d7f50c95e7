"""The published data sets, in small and as they really lie on disks."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from dataset_layout import (
    CLOTHO_COLUMNS,
    write_audiocaps,
    write_clotho,
    write_json,
    write_manifest_lines,
    write_rows,
    write_sound,
    write_wavcaps,
)

from training.data.audiocaps import read_audiocaps
from training.data.clotho import read_clotho
from training.data.dataset import DataError, write_manifest
from training.data.layout import find_layout, join, load_dataset
from training.data.manifest import read_folder, read_manifest
from training.data.wavcaps import read_exclusion, read_wavcaps

ODD = ["Ambience_ Kitchen, #3 (köln).wav", "  two  blanks .wav", 'quote\'d & "so".wav', "plain.wav"]


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_that_clotho_is_read_with_odd_names_and_a_byte_order_mark(tmp_path: Path, nested: bool, encoding: str) -> None:
    write_clotho(tmp_path, {"development": ODD, "evaluation": ["e.wav"]}, encoding=encoding, nested=nested)
    dataset = load_dataset(tmp_path)
    assert find_layout(tmp_path) == "clotho"
    assert [clip.split for clip in dataset.clips] == ["train"] * 4 + ["test"]
    first = dataset.clips[0]
    assert first.path.is_file()
    assert first.captions == tuple(f"development sound 0 told {number}" for number in range(5))
    assert (first.licence, first.group, first.tags) == ("CC0", "freesound:1110", ("dog", "bark", "loud"))
    assert math.isnan(first.duration_s)
    assert dataset.omissions == ()


def test_that_names_changed_by_unpacking_are_found_and_ambiguous_ones_are_not(tmp_path: Path) -> None:
    told = ["Köln: rain?.wav", "one|two.wav", "UPPER.wav"]
    folder = tmp_path / "development"
    write_sound(folder / unicodedata.normalize("NFD", "Köln_ rain_.wav"))
    write_sound(folder / "one_two.wav")
    write_sound(folder / "one two.wav")
    write_sound(folder / "upper.WAV")
    rows = [[name, *"abcde"] for name in told]
    write_rows(tmp_path / "clotho_captions_development.csv", CLOTHO_COLUMNS, rows)
    dataset = read_clotho(tmp_path)
    assert [clip.id for clip in dataset.clips] == ["development/Köln: rain?.wav", "development/UPPER.wav"]
    assert [(one.kind, one.id) for one in dataset.omissions] == [("missing file", "development/one|two.wav")]


def test_that_missing_sounds_and_empty_captions_are_counted(tmp_path: Path) -> None:
    write_clotho(tmp_path, {"development": ["a.wav", "b.wav", "c.wav"]}, nested=False)
    (tmp_path / "development" / "b.wav").unlink()
    table = tmp_path / "clotho_captions_development.csv"
    write_rows(
        table, CLOTHO_COLUMNS, [["a.wav", " A  dog ", "", " ", "", ""], ["b.wav", *"abcde"], ["c.wav", *5 * [" "]]]
    )
    dataset = read_clotho(tmp_path)
    assert [clip.captions for clip in dataset.clips] == [("A dog",)]
    assert dataset.omitted() == {"missing file": 1, "no caption": 1}


@pytest.mark.parametrize(
    ("header", "row", "reason"),
    [
        (["name", "caption_1"], ["a.wav", "x"], "no column file_name; it has name, caption_1"),
        (["file_name", "text"], ["a.wav", "x"], "no column caption_1"),
        (["file_name", "caption_1"], ["a.wav"], "Row 2 of .* has 1 fields and not 2"),
    ],
)
def test_that_a_table_that_is_not_clothos_is_told(
    tmp_path: Path, header: list[str], row: list[str], reason: str
) -> None:
    write_sound(tmp_path / "development" / "a.wav")
    write_rows(tmp_path / "clotho_captions_development.csv", header, [row])
    with pytest.raises(DataError, match=reason):
        read_clotho(tmp_path)


def test_that_metadata_in_another_encoding_is_read(tmp_path: Path) -> None:
    write_clotho(tmp_path, {"validation": ["é.wav"]}, nested=False, encoding="utf-8")
    table = tmp_path / "clotho_metadata_validation.csv"
    table.write_bytes(table.read_text(encoding="utf-8").encode("cp1252"))
    assert read_clotho(tmp_path).clips[0].licence == "CC0"


def test_that_audiocaps_groups_captions_and_counts_what_is_missing(tmp_path: Path) -> None:
    rows = [("-abc_def123", "30", "A dog, barking"), ("gone0000000", "0", "x"), ("-abc_def123", "30", "Barks")]
    write_audiocaps(tmp_path / "dataset", {"train": rows, "test": [("Ttttttttttt", "5.0", "Rain")]})
    write_sound(tmp_path / "audio" / "train" / "-abc_def123_30.flac")
    write_sound(tmp_path / "audio" / "test" / "YTtttttttttt.wav")
    dataset = load_dataset(tmp_path)
    assert find_layout(tmp_path) == "audiocaps"
    assert [(clip.id, clip.split, clip.captions) for clip in dataset.clips] == [
        ("-abc_def123_30", "train", ("A dog, barking", "Barks")),
        ("Ttttttttttt_5", "test", ("Rain",)),
    ]
    assert dataset.clips[0].group == "youtube:-abc_def123"
    assert [one.id for one in dataset.omissions] == ["gone0000000_0"]


def test_that_both_versions_of_audiocaps_are_told_apart(tmp_path: Path) -> None:
    write_audiocaps(tmp_path / "dataset", {"train": [("a", "1", "old")]})
    write_audiocaps(tmp_path / "dataset2.0", {"train": [("a", "1", "new"), ("b", "2", "more")]})
    for name in ("a_1", "b_2"):
        write_sound(tmp_path / "sounds" / f"{name}.wav")
    with pytest.raises(DataError, match="Both versions"):
        read_audiocaps(tmp_path)
    assert [len(read_audiocaps(tmp_path, version=version).clips) for version in ("1", "2")] == [1, 2]


def test_that_a_start_time_that_is_no_number_is_told(tmp_path: Path) -> None:
    write_audiocaps(tmp_path, {"train": [("a", "soon", "x")]})
    with pytest.raises(DataError, match=r"Row 2 .* 'soon', no number"):
        read_audiocaps(tmp_path)


WAVCAPS = {
    "FreeSound": [
        {"id": "17", "caption": "A dog barks.", "duration": 3.5, "tags": ["dog"]},
        {"id": "18", "caption": "Asked in Clotho's test.", "duration": 20.0},
        {"id": "19", "caption": "Much too short.", "duration": 0.4},
        {"id": "20", "caption": " ", "duration": 4.0},
        {"id": "21", "caption": "Not fetched.", "duration": 4.0},
    ],
    "AudioSet_SL": [
        {"id": "Yabcdefghijk.wav", "caption": "Rain.", "duration": 10.0},
        {"id": "Ytestedtests.wav", "caption": "Asked in AudioCaps' test.", "duration": 10.0},
    ],
}


def wavcaps(folder: Path, *, listed: bool = True) -> Path:
    lists = {"AudioSet": ["Ytestedtests.wav"], "FreeSound": ["18"]} if listed else {}
    write_wavcaps(folder, WAVCAPS, **lists)
    for name in ("17", "18", "19", "20"):
        write_sound(folder / "Zip_files" / "FreeSound" / "mnt" / "x" / "FreeSound_flac" / f"{name}.flac")
    for name in ("Yabcdefghijk", "Ytestedtests"):
        write_sound(folder / "Audio" / "AudioSet_SL" / f"{name}.flac")
    return folder


def test_that_wavcaps_leaves_out_what_is_tested_elsewhere(tmp_path: Path) -> None:
    dataset = load_dataset(wavcaps(tmp_path))
    assert find_layout(tmp_path) == "wavcaps"
    assert [clip.group for clip in dataset.clips] == ["youtube:abcdefghijk", "freesound:17"]
    assert dataset.clips[1].duration_s == 3.5
    assert dataset.omitted() == {"excluded": 2, "too short": 1, "no caption": 1, "missing file": 1}


def test_that_wavcaps_without_its_list_is_refused_unless_that_is_wanted(tmp_path: Path) -> None:
    wavcaps(tmp_path, listed=False)
    with pytest.raises(DataError, match="--exclude none"):
        read_wavcaps(tmp_path)
    assert len(load_dataset(tmp_path, exclude=["none"]).clips) == 4


def test_that_lists_and_other_data_sets_exclude_too(tmp_path: Path) -> None:
    wavcaps(tmp_path / "wavcaps", listed=False)
    clotho = write_clotho(tmp_path / "clotho", {"development": ["d.wav"], "evaluation": ["e.wav"]}, nested=False)
    about = (clotho / "clotho_metadata_evaluation.csv").read_text(encoding="utf-8")
    (clotho / "clotho_metadata_evaluation.csv").write_text(about.replace("1100", "17"), encoding="utf-8")
    ids = write_rows(tmp_path / "dcase.csv", ["sound_id"], [["18"]])
    dataset = load_dataset(tmp_path / "wavcaps", exclude=[str(ids), str(clotho)])
    assert [clip.group for clip in dataset.clips] == ["youtube:abcdefghijk", "youtube:testedtests"]
    assert {one.detail for one in dataset.omissions if one.kind == "excluded"} == {"dcase.csv", "Clotho"}


@pytest.mark.parametrize("content", [{}, [], {"AudioSet": []}, "text"])
def test_that_an_exclusion_list_that_names_nothing_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(DataError, match="exclusion list"):
        read_exclusion(write_json(tmp_path / "list.json", content))


@pytest.mark.parametrize("content", ['{"data": [{"caption": "no id"}]}', '{"data": 3}', "[[1]]", '{"data": ['])
def test_that_a_damaged_part_of_wavcaps_is_told(tmp_path: Path, content: str) -> None:
    wavcaps(tmp_path)
    (tmp_path / "json_files" / "FreeSound" / "fsd_final.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"fsd_final\.json"):
        read_wavcaps(tmp_path)


def test_that_joined_sets_do_not_learn_what_another_one_asks(tmp_path: Path) -> None:
    wavcaps(tmp_path / "wavcaps", listed=False)
    clotho = write_clotho(tmp_path / "clotho", {"development": ["d.wav"], "evaluation": ["e.wav"]}, nested=False)
    about = (clotho / "clotho_metadata_evaluation.csv").read_text(encoding="utf-8")
    (clotho / "clotho_metadata_evaluation.csv").write_text(about.replace("1100", "17"), encoding="utf-8")
    joined = join([load_dataset(clotho), load_dataset(tmp_path / "wavcaps", exclude=["none"])])
    assert "freesound:17" in {clip.group for clip in joined.split("test")}
    assert "freesound:17" not in {clip.group for clip in joined.split("train")}
    assert len({clip.id for clip in joined.clips}) == len(joined.clips) == 5


def test_that_a_manifest_needs_no_more_than_files_and_captions(tmp_path: Path) -> None:
    lines = [{"file": f"{number}.wav", "caption": f"sound {number}"} for number in range(60)]
    write_manifest_lines(
        tmp_path, [*lines, {"file": "gone.wav", "captions": ["x"]}, {"file": "0.wav", "id": "e", "captions": [""]}]
    )
    for number in range(60):
        write_sound(tmp_path / f"{number}.wav", duration_s=0.01)
    dataset = read_folder(tmp_path)
    assert {clip.split for clip in dataset.clips} == {"train", "valid", "test"}
    assert len(dataset.split("train")) > 35
    assert dataset.omitted() == {"no caption": 1, "missing file": 1}
    assert [clip.split for clip in read_folder(tmp_path).clips] == [clip.split for clip in dataset.clips]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Line 2 .* is damaged"),
        ('{"file": "a.wav"}', "captions and tags are lists"),
        ('{"file": "a.wav", "captions": ["x"], "split": "dev"}', "one of the splits"),
        ("[1]", "Line 2"),
        ('{"file": "0.wav", "captions": ["x"]}', "comes twice"),
    ],
)
def test_that_a_damaged_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    write_manifest_lines(tmp_path, [{"file": "0.wav", "captions": ["x"]}])
    path = tmp_path / "corpus.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")
    with pytest.raises(DataError, match=reason):
        read_manifest(tmp_path)


@pytest.mark.parametrize("count", [3, 5, 12, 200])
def test_that_drawn_splits_are_never_empty_and_do_not_depend_on_the_order(tmp_path: Path, count: int) -> None:
    lines = [{"file": f"{number}.wav", "captions": ["a sound"]} for number in range(count)]
    write_manifest_lines(tmp_path, lines)
    clips = read_manifest(tmp_path)
    splits = {clip.id: clip.split for clip in clips}
    assert set(splits.values()) == {"train", "valid", "test"}
    assert Counter(splits.values())["train"] >= count // 2 or count == 3
    write_manifest_lines(tmp_path, lines[::-1])
    assert {clip.id: clip.split for clip in read_manifest(tmp_path)} == splits


def test_that_splits_that_somebody_told_stay_as_they_are(tmp_path: Path) -> None:
    lines = [{"file": f"{number}.wav", "captions": ["a sound"], "split": "train"} for number in range(5)]
    write_manifest_lines(tmp_path, lines)
    assert {clip.split for clip in read_manifest(tmp_path)} == {"train"}


def test_that_a_written_manifest_reads_as_the_same_clips(tmp_path: Path) -> None:
    original = load_dataset(write_clotho(tmp_path / "clotho", {"development": ODD}))
    write_manifest(original.clips, tmp_path / "own" / "manifest.jsonl")
    again = load_dataset(tmp_path / "own")
    assert [(c.id, c.captions, c.group, c.tags) for c in again.clips] == [
        (c.id, c.captions, c.group, c.tags) for c in original.clips
    ]
    assert all(clip.path.samefile(other.path) for clip, other in zip(again.clips, original.clips, strict=True))


@pytest.mark.parametrize("made", [True, False])
def test_that_a_folder_without_a_data_set_is_told(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "none"
    if made:
        folder.mkdir()
    with pytest.raises(DataError, match="There is no folder" if not made else "no data set of a known layout"):
        load_dataset(folder)


def test_that_a_folder_whose_sounds_are_all_missing_is_told(tmp_path: Path) -> None:
    write_audiocaps(tmp_path, {"train": [("a", "1", "x"), ("b", "2", "y")]})
    with pytest.raises(DataError, match="2 x missing file"):
        load_dataset(tmp_path)


@pytest.mark.corpus
def test_that_the_corpus_is_read_as_its_readme_says(corpus_folder: Path) -> None:
    dataset = load_dataset(corpus_folder)
    assert [len(dataset.split(name)) for name in ("train", "valid", "test")] == [7074, 847, 846]
    assert dataset.omissions == ()
    assert len({caption for clip in dataset.split("test") for caption in clip.captions}) == 2075


@pytest.mark.corpus
def test_that_the_real_tables_of_audiocaps_are_read(corpus_folder: Path, tmp_path: Path) -> None:
    texts = corpus_folder.parent / "text"
    if not (texts / "audiocaps_test.csv").is_file():
        pytest.skip("the tables of AudioCaps are not beside the corpus")
    for name in ("train", "val", "test"):
        (tmp_path / f"audiocaps_{name}.csv").write_bytes((texts / f"audiocaps_{name}.csv").read_bytes())
    first = (texts / "audiocaps_test.csv").read_text(encoding="utf-8").splitlines()[1].split(",")
    write_sound(tmp_path / "audio" / f"{first[1]}_{first[2]}.wav")
    dataset = load_dataset(tmp_path)
    assert [(clip.split, len(clip.captions)) for clip in dataset.clips] == [("test", 5)]
    assert dataset.omitted() == {"missing file": 49838 + 495 + 974}
