"""The whole program in a real window, on a display of its own: added, indexed, asked, heard, handed over, reopened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.config import RESOURCES

REPOSITORY = RESOURCES.parent
USER = REPOSITORY / "tests" / "helpers" / "real_user.py"
QUERY = "heavy rain"
OTHERS = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb is for Linux"),
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed"),
]


@dataclass(frozen=True)
class Sounds:
    """A folder of real sounds, and which of them answer the query."""

    folder: Path
    count: int
    of_rain: frozenset[str]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A screen that nobody sees."""
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1920x1200x24", "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as stream:
        number = stream.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Sounds:
    """Real recordings where the corpus is present, else the bundled sounds; names that say nothing of rain."""
    folder = tmp_path_factory.mktemp("sounds")
    corpus = Path(os.environ.get("EARSHOT_SHARED", REPOSITORY.parent / "shared")) / "corpus"
    if (corpus / "corpus.jsonl").is_file():
        clips = [json.loads(line) for line in (corpus / "corpus.jsonl").read_text().splitlines()]
        # Clips that the encoder was not trained on, long enough to drag a region in.
        clips = [clip for clip in clips if clip["split"] == "test" and clip["duration_s"] > 2]
        rain = [clip for clip in clips if all("rain" in text.lower().split() for text in clip["captions"][:2])][:4]
        others = [clip for clip in clips if not any("rain" in text.lower() for text in clip["captions"])]
        files = {corpus / clip["file"]: clip in rain for clip in rain + others[:: len(others) // OTHERS][:OTHERS]}
    else:
        found = [path for path in sorted((RESOURCES / "samples").rglob("*")) if path.suffix in (".ogg", ".wav")]
        rain = [path for path in found if "rain" in path.name.lower()]
        files = {path: path in rain for path in rain + [path for path in found if path not in rain][:OTHERS]}
    of_rain = set()
    for number, (path, is_rain) in enumerate(files.items()):
        name = f"take {number:02d}{path.suffix}"
        shutil.copy2(path, folder / name)
        if is_rain:
            of_rain.add(name)
    assert len(of_rain) >= 2
    return Sounds(folder, len(files), frozenset(of_rain))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the library and the screenshots go; EARSHOT_SCREENSHOTS keeps them."""
    kept = os.environ.get("EARSHOT_SCREENSHOTS")
    if kept:
        shutil.rmtree(kept, ignore_errors=True)
        Path(kept).mkdir(parents=True)
        return Path(kept)
    return tmp_path_factory.mktemp("visit")


def visit(name: str, display: str, scratch: Path, sounds: Sounds) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(USER), name, str(scratch), str(sounds.folder), QUERY],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=REPOSITORY,
        env={
            **os.environ,
            "DISPLAY": display,
            "QT_QPA_PLATFORM": "xcb",
            "PYTHONPATH": str(REPOSITORY),
            "XDG_CACHE_HOME": str(scratch / "cache"),
            "OMP_NUM_THREADS": "1",
        },
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads((scratch / f"{name}.json").read_text())
    assert "gave up" not in seen, (seen, (scratch / "logs" / "earshot.log").read_text())
    assert seen["bugs"] == []
    return seen


@pytest.fixture(scope="module")
def first(display: str, scratch: Path, sounds: Sounds) -> dict[str, Any]:
    return visit("first", display, scratch, sounds)


@pytest.fixture(scope="module")
def second(first: dict[str, Any], display: str, scratch: Path, sounds: Sounds) -> dict[str, Any]:
    return visit("second", display, scratch, sounds)


def test_that_an_empty_library_welcomes_and_takes_a_folder(first, sounds):
    assert first["welcome"]
    assert first["overlay"] == "Add to the library"
    assert first["sounds"] == sounds.count


def test_that_a_typed_description_finds_the_sounds(first, sounds):
    assert first["typed"] == QUERY
    assert first["found"][0] in sounds.of_rain


def test_that_arrows_go_from_sound_to_sound_and_the_player_follows(first):
    assert len({name for name, _ in first["arrowed"]}) == 3
    assert all(listed == played for listed, played in first["arrowed"])
    assert first["inspected"]


def test_that_captions_can_be_read(first):
    assert first["captioner"], "a captioner ships"
    assert any(len(caption) > 3 for caption in first["captions"])


def test_that_a_dropped_clip_finds_itself_and_its_like(first):
    assert first["like the clip"][0] == first["clip"]


def test_that_a_region_is_handed_over_as_a_wav(first):
    suffix, duration_s = first["rendered"]
    assert suffix == ".wav"
    assert first["region s"] > 0.1
    assert duration_s == pytest.approx(first["region s"], abs=0.02)


def test_that_closing_is_quick(first, second):
    assert first["closed after s"] < 2
    assert second["closed after s"] < 2


def test_that_everything_is_there_again_after_reopening(first, second, sounds):
    assert second["sounds"] == sounds.count
    assert second["found"] == first["found"]
    assert second["columns"] == first["columns"]
    assert second["size"] == first["size"]


def test_that_a_machine_without_sound_is_a_message_at_most(first):
    assert all("sound" in message or "audio" in message.lower() for message in first["known errors"])


def test_that_every_step_left_a_picture(first, second, scratch):
    pictures = sorted(path.name for path in scratch.glob("*.png"))
    assert [name[0] for name in pictures] == list("123456789")
