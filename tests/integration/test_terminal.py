"""The terminal program as a user runs it: real processes, the bundled sounds, the shipped encoder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile

from core.config import RESOURCES

SAMPLES = RESOURCES / "samples"
REPOSITORY = RESOURCES.parent


@dataclass
class Run:
    code: int
    lines: list[dict[str, Any]]
    out: str
    err: str


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "core", *map(str, arguments)]


def earshot(*arguments: str | Path, as_json: bool = True) -> Run:
    done = subprocess.run(
        command(*arguments, *(["--json"] if as_json else [])),
        capture_output=True,
        text=True,
        timeout=240,
        cwd=REPOSITORY,
        check=False,
        env={**os.environ, "COLUMNS": "160"},
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()] if as_json else []
    return Run(done.returncode, lines, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def sounds() -> list[dict[str, Any]]:
    return json.loads((SAMPLES / "samples.json").read_text())["sounds"]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    library = tmp_path_factory.mktemp("terminal") / "library"
    return library, earshot("index", SAMPLES, "--library", library)


@pytest.fixture(scope="module")
def library(indexed: tuple[Path, Run]) -> Path:
    return indexed[0]


def of_kind(sounds: list[dict[str, Any]], kind: str) -> set[str]:
    return {str(SAMPLES / sound["path"]) for sound in sounds if sound["kind"] == kind}


def test_that_indexing_reports_progress_and_ends_with_what_the_library_holds(indexed, sounds):
    _, run = indexed
    assert run.code == 0, run.err
    stages = {line["stage"] for line in run.lines if line["event"] == "progress"}
    assert "index" in stages
    assert run.lines[-1]["event"] == "done"
    assert run.lines[-1]["ready"] == len(sounds)
    assert run.lines[-1]["skipped"] == 0


def test_that_indexing_again_changes_nothing(library, sounds):
    before = earshot("status", "--library", library).lines[0]
    again = earshot("index", SAMPLES, "--library", library)
    assert again.code == 0
    assert not any(line["event"] == "progress" and line["stage"] == "index" and line["done"] for line in again.lines)
    assert earshot("status", "--library", library).lines[0] == before


def test_that_a_description_finds_the_sound_with_moment_score_relevance_and_reasons(library, sounds):
    run = earshot("search", "a siren wails", "--library", library, "--limit", "5")
    assert run.code == 0, run.err
    first = run.lines[0]
    assert {"rank", "path", "start_s", "end_s", "score", "relevance", "why"} <= first.keys()
    assert [line["rank"] for line in run.lines] == list(range(1, len(run.lines) + 1))
    assert all(line["relevance"] >= 0.5 for line in run.lines)
    assert first["path"] in of_kind(sounds, "siren")
    assert first["why"]["parts"][0]["kind"] == "text"
    assert first["end_s"] > first["start_s"]


def test_that_the_relevance_falls_from_rank_to_rank(library):
    run = earshot("search", "rain", "--library", library, "--all", "--limit", "30")
    relevances = [line["relevance"] for line in run.lines]
    assert len(relevances) == 30
    assert relevances == sorted(relevances, reverse=True)


@pytest.mark.parametrize("text", ["quarterly tax return spreadsheet", "the colour of justice"])
def test_that_an_absurd_query_finds_nothing_and_says_so(library, text):
    run = earshot("search", text, "--library", library)
    assert run.code == 1
    assert run.out == ""
    assert "Nothing here matches" in run.err
    everything = earshot("search", text, "--library", library, "--all", "--limit", "200")
    assert everything.code == 0
    assert len(everything.lines) > 60


def test_that_a_negative_sinks_what_it_describes(library, sounds):
    plain = earshot("search", "weather", "--library", library, "--all", "--limit", "10")
    without = earshot("search", "weather", "--not", "rain", "--library", library, "--all", "--limit", "10")
    rain = of_kind(sounds, "rain")
    before = {line["path"]: line["relevance"] for line in plain.lines if line["path"] in rain}
    after = {line["path"]: line["relevance"] for line in without.lines if line["path"] in rain}
    assert before, "rain is weather"
    assert all(after.get(path, 0.0) < 0.5 * relevance for path, relevance in before.items())
    assert any(part["kind"] == "not" for part in without.lines[0]["why"]["parts"])


def test_that_an_example_clip_finds_itself_first_and_its_kind_next(library, sounds):
    siren = sorted(of_kind(sounds, "siren"))
    run = earshot("search", "--like", siren[0], "--library", library, "--limit", "5", "--all")
    assert run.lines[0]["path"] == siren[0]
    assert run.lines[0]["relevance"] > 0.9
    assert {line["path"] for line in run.lines[1:4]} & set(siren)


def test_that_a_stretch_of_a_clip_and_weights_are_taken(library, sounds):
    scene = next(sound for sound in sounds if sound["duration_s"] > 20)
    like = f"{SAMPLES / scene['path']}@2-9"
    run = earshot("search", "birds", "--like", like, "--weight", "1", "--weight", "0.25", "--library", library, "--all")
    assert run.code == 0, run.err
    parts = run.lines[0]["why"]["parts"]
    assert [(part["kind"], part["weight"]) for part in parts] == [("text", 1.0), ("clip", 0.25)]


def test_that_similar_leaves_the_file_itself_out(library, sounds):
    siren = sorted(of_kind(sounds, "siren"))
    run = earshot("similar", siren[0], "--library", library, "--limit", "3", "--all")
    paths = [line["path"] for line in run.lines]
    assert siren[0] not in paths
    assert set(paths) & set(siren)


def test_that_filters_come_before_the_count(library, sounds):
    wanted = [sound for sound in sounds if sound["path"].endswith(".wav") and sound["channels"] == 2]
    run = earshot(
        *("search", "anything at all", "--where", "format=wav", "--where", "channels:stereo"),
        *("--library", library, "--all", "--limit", "500"),
    )
    assert {line["path"] for line in run.lines} == {str(SAMPLES / sound["path"]) for sound in wanted}


def test_that_a_filter_alone_lists_the_files_that_pass(library, sounds):
    run = earshot("search", "duration:>20", "--library", library)
    assert {line["path"] for line in run.lines} == {
        str(SAMPLES / sound["path"]) for sound in sounds if sound["duration_s"] > 20
    }


def test_that_a_literal_phrase_is_demanded(library, sounds):
    stem = next(Path(sound["path"]).stem for sound in sounds if " " in Path(sound["path"]).stem)
    words = stem.replace("_", " ").split()
    phrase = " ".join(words[-2:])
    run = earshot("search", f'"{phrase}"', "--library", library, "--all")
    assert run.lines
    assert all(
        phrase.lower().replace(" ", "") in line["path"].lower().replace(" ", "").replace("_", "") for line in run.lines
    )
    assert any(found["field"] == "name" for found in run.lines[0]["why"]["lexical"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("search", ""), 2),
        (("search", "door", "--where", "colour=red"), 2),
        (("search", "door", "--weight", "1", "--weight", "2"), 2),
        (("search", "--like", "nowhere.wav"), 4),
        (("similar", "README.md"), 4),
    ],
)
def test_that_mistakes_get_one_clear_line_and_their_exit_code(library, arguments, code):
    run = earshot(*arguments, "--library", library)
    assert run.code == code
    assert run.out == ""
    assert len(run.err.strip().splitlines()) == 1
    assert "Traceback" not in run.err


def test_that_a_library_that_is_not_there_is_a_clear_error(tmp_path):
    run = earshot("search", "door", "--library", tmp_path / "none")
    assert run.code == 3
    assert "earshot index" in run.err
    assert not (tmp_path / "none").exists()


def test_that_verify_passes_and_finds_a_damaged_index(library, tmp_path):
    assert earshot("verify", "--library", library).code == 0
    copy = tmp_path / "copy"
    shutil.copytree(library, copy)
    for file in (copy / "index").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    damaged = earshot("verify", "--library", copy)
    assert damaged.code == 1
    assert [line["check"] for line in damaged.lines if not line["ok"]] == ["index"]
    assert earshot("search", "a siren wails", "--library", copy).code == 0
    assert earshot("reindex", "--library", copy).code == 0
    assert earshot("verify", "--library", copy).code == 0


def test_that_people_get_tables(library):
    search = earshot("search", "a siren wails", "--library", library, as_json=False)
    assert "relevance" in search.out
    assert "moment" in search.out
    status = earshot("status", "--library", library, as_json=False)
    assert "samples" in status.out
    assert "No file was skipped" in earshot("skipped", "--library", library, as_json=False).out
    assert "earshot-base" in earshot("models", as_json=False).out


def test_that_skipped_files_are_listed_with_reasons_and_tried_again_when_they_change(tmp_path, sounds):
    folder = tmp_path / "sounds"
    folder.mkdir()
    good = SAMPLES / sounds[0]["path"]
    (folder / "empty.wav").touch()
    (folder / "picture.wav").write_bytes(b"\xff\xd8\xff\xe0" + bytes(200))
    first = earshot("index", folder, "--library", tmp_path / "library")
    assert first.code == 0
    reasons = {
        Path(line["path"]).name: line["reason"] for line in earshot("skipped", "--library", tmp_path / "library").lines
    }
    assert reasons.keys() == {"empty.wav", "picture.wav"}
    assert "empty" in reasons["empty.wav"]
    assert "JPEG" in reasons["picture.wav"]
    shutil.copy(good, folder / "empty.wav")
    assert earshot("index", folder, "--library", tmp_path / "library").lines[-1]["ready"] == 1
    assert len(earshot("skipped", "--library", tmp_path / "library").lines) == 1


def test_that_a_removed_folder_leaves_the_library_and_stays_on_disk(tmp_path, sounds):
    folder = tmp_path / "sounds"
    folder.mkdir()
    shutil.copy(SAMPLES / sounds[0]["path"], folder)
    earshot("index", folder, "--library", tmp_path / "library")
    assert earshot("remove", folder, "--library", tmp_path / "library").lines[0]["files"] == 1
    assert earshot("status", "--library", tmp_path / "library").lines[0]["files"] == 0
    assert len(list(folder.iterdir())) == 1


def test_that_ctrl_c_stops_cleanly_and_the_next_run_goes_on(tmp_path, sounds):
    library = tmp_path / "library"
    with subprocess.Popen(
        command("index", SAMPLES, "--library", library, "--jobs", "1", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["stage"] == "index" and event["done"] >= 3:
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        assert process.wait(timeout=60) == 130
    done = earshot("status", "--library", library).lines[0]["ready"]
    assert 3 <= done < len(sounds)
    assert earshot("verify", "--library", library).code == 0
    assert earshot("index", SAMPLES, "--library", library).lines[-1]["ready"] == len(sounds)


def test_that_a_second_writer_is_told_and_a_reader_works_meanwhile(tmp_path):
    library = tmp_path / "library"
    with subprocess.Popen(
        command("index", SAMPLES, "--library", library, "--jobs", "1", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=REPOSITORY,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("stage") == "index":
                break
        second = earshot("index", SAMPLES, "--library", library)
        assert earshot("status", "--library", library).code == 0
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait(timeout=60)
    assert second.code == 3
    assert "index" in second.err.lower()


def test_that_an_example_that_changed_since_it_was_indexed_is_heard_anew(tmp_path, sounds):
    folder, own = tmp_path / "sounds", tmp_path / "library"
    folder.mkdir()
    siren, rain = (next(SAMPLES / one["path"] for one in sounds if one["kind"] == kind) for kind in ("siren", "rain"))

    def write(source: Path, name: str) -> None:
        samples, rate_hz = soundfile.read(source, frames=80_000, always_2d=True)
        soundfile.write(folder / name, samples[:, 0], rate_hz, subtype="PCM_16")

    write(siren, "example.wav")
    write(rain, "rain.wav")
    size = (folder / "example.wav").stat().st_size
    earshot("index", folder, "--library", own)
    write(rain, "example.wav")
    assert (folder / "example.wav").stat().st_size == size, "only the time tells that it changed"
    found = earshot("similar", folder / "example.wav", "--library", own, "--all").lines
    assert [Path(line["path"]).name for line in found] == ["rain.wav"]
    anew = earshot("search", "--like", folder / "rain.wav", "--library", own, "--all").lines
    itself = next(line for line in anew if Path(line["path"]).name == "rain.wav")
    assert found[0]["score"] == pytest.approx(itself["score"], abs=1e-3), "the same bytes, the same answer"
