"""Drags between two programs on a real display: the pointer is moved by xdotool, the rest is X11's own protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from core.config import RESOURCES
from core.library import Library

REPOSITORY = RESOURCES.parent
HELPERS = REPOSITORY / "tests" / "helpers"
OTHER_X = 1300

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb is for Linux"),
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed"),
    pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed"),
]


@pytest.fixture
def display() -> Iterator[dict[str, str]]:
    """The environment of programs on a screen that nobody sees."""
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1920x1080x24", "-nolisten", "tcp"],
        pass_fds=[writer],
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as stream:
        number = stream.readline().strip()
    yield {
        **os.environ,
        "DISPLAY": f":{number}",
        "QT_QPA_PLATFORM": "xcb",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(HELPERS)]),
        "OMP_NUM_THREADS": "1",
    }
    server.terminate()
    server.wait(10)


def test_that_rows_and_regions_go_to_another_program_and_files_come_from_it(
    display: dict[str, str], small_library: Library, tmp_path: Path
) -> None:
    small_library.close()
    small_library.folder.rename(tmp_path / "library")
    clip = tmp_path / "clip from elsewhere.wav"
    shutil.copy2(RESOURCES / "samples" / "alarms" / "Telephone One Ring.wav", clip)
    other = subprocess.Popen(
        [sys.executable, str(HELPERS / "other_program.py"), str(OTHER_X), str(clip)],
        env=display,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    try:
        assert other.stdout.readline().strip() == "ready"
        command = [sys.executable, str(HELPERS / "dragging_user.py"), str(tmp_path), str(OTHER_X + 200)]
        done = subprocess.run(command, env=display, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stderr[-4_000:]
    finally:
        other.terminate()
    drops = [json.loads(line) for line in other.stdout.read().splitlines()]
    other.stdout.close()
    other.wait(10)
    seen = json.loads((tmp_path / "seen.json").read_text())
    rows, region = drops
    assert seen["gave up"] == ""
    assert seen["problems"] == []
    assert len(rows) == 3
    assert rows == seen["selected"]
    assert all(Path(row).is_file() for row in rows)
    assert len(region) == 1
    assert soundfile.info(region[0]).duration == pytest.approx(seen["region s"], abs=0.01)
    assert seen["clips"] == [str(clip)]
