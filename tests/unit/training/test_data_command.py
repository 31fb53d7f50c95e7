"""The data commands as they are typed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from dataset_layout import write_manifest_lines, write_sound

from training.cli import main


@pytest.mark.parametrize("command", ["describe", "mix", "cache", "synthesise", "analyse", "sheet"])
def test_that_each_command_is_there(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training", command, "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert command in capsys.readouterr().out


def test_that_what_the_environment_did_wrong_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training", "describe", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "There is no folder" in told
    assert "Traceback" not in told


def test_that_scenes_can_be_made_of_one_split_and_of_one_relation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for number in range(4):
        write_sound(data / f"{number}.wav", seed=number)
    lines = [{"file": f"{n}.wav", "captions": [f"sound {n}"], "split": "train" if n < 2 else "test"} for n in range(4)]
    write_manifest_lines(data, lines)
    arguments = ["mix", str(data), "--out", str(out), "--count", "3", "--split", "test", "--relation", "then"]
    monkeypatch.setattr(sys, "argv", ["training", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "3 scenes" in capsys.readouterr().out
    assert {path.name.rsplit("-", 2)[0] for path in (out / "audio").iterdir()} == {"test-then"}
