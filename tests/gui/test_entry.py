"""What starts the program: the window without a command, the terminal with one; and nothing heavy before the paint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import _names_subcommand, _parse, main
from core.config import RESOURCES

REPOSITORY = RESOURCES.parent


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=REPOSITORY,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("arguments", "is_command"),
    [
        ([], False),
        (["--library", "/a/b"], False),
        (["--device", "cpu", "--model", "m"], False),
        (["search", "a door"], True),
        (["--library", "/a/b", "status"], True),
        (["--version"], False),
        (["--help"], False),
    ],
)
def test_that_a_command_is_told_from_options(arguments, is_command):
    assert _names_subcommand(arguments) is is_command


def test_that_options_are_read():
    options = _parse(["--library", "lib", "--device", "cpu", "--model", "earshot-base"])
    assert (options.library, options.device, options.model) == (Path("lib"), "cpu", "earshot-base")
    assert _parse([]).device is None


def test_that_a_command_runs_in_the_terminal(tmp_path):
    done = run("status", "--library", tmp_path / "library", "--json")
    assert done.returncode == 3, "there is no such library to read"
    made = run("index", RESOURCES / "samples" / "alarms", "--library", tmp_path / "library", "--json", "--jobs", "1")
    assert made.returncode == 0, made.stderr
    status = run("status", "--library", tmp_path / "library", "--json")
    assert json.loads(status.stdout)["ready"] == 6


def test_that_the_version_is_told_without_a_window(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("earshot ")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can be without a display")
def test_that_a_machine_without_a_display_is_a_sentence(tmp_path):
    done = run(DISPLAY="", WAYLAND_DISPLAY="", QT_QPA_PLATFORM="")
    assert done.returncode == 2
    assert "There is no display" in done.stderr
    assert "Traceback" not in done.stderr


def test_that_the_window_is_painted_without_torch_and_closes_again(tmp_path):
    script = f"""
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from app.__main__ import Options
from app.panels.main_window import MainWindow
import app.main

heavy = {{}}
original = MainWindow.__init__
def watched(self, **arguments):
    original(self, **arguments)
    def painted():
        heavy["at paint"] = sorted({{"torch", "transformers", "sqlalchemy", "alembic", "numpy"}} & set(sys.modules))
    self.painted.connect(painted)
    self.library_opened.connect(lambda: heavy.update(opened=sorted({{"torch", "transformers"}} & set(sys.modules))))
    self.library_opened.connect(lambda: QTimer.singleShot(0, self.close))
MainWindow.__init__ = watched
here = Path({str(tmp_path)!r})
code = app.main.run(Options(library=here / "library", settings=here / "settings.json", log_folder=here / "logs"))
print(code, heavy)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=REPOSITORY,
        check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0 {'at paint': [], 'opened': []}"
    log = (tmp_path / "logs" / "earshot.log").read_text()
    assert "painted" in log
    assert "Traceback" not in log
    assert (tmp_path / "settings.json").is_file()
