from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, default_settings_file


def test_that_settings_come_back_as_they_were_saved(tmp_path):
    file = tmp_path / "config" / "settings.json"
    settings, notice = Settings.load(file)
    assert notice == ""
    settings.look.theme = "light"
    settings.layout.splitters["main"] = [200, 700, 300]
    settings.shortcuts = {"play.toggle": ["P"]}
    settings.audio.gain_db = -6.0
    assert settings.save() == ""
    again, notice = Settings.load(file)
    assert notice == ""
    assert again.model_dump() == settings.model_dump()


def test_that_a_damaged_file_gives_the_defaults_and_is_kept_aside(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"look": {"theme": "dark"')
    settings, notice = Settings.load(file)
    assert settings.model_dump() == Settings().model_dump()
    assert "defaults" in notice
    assert (tmp_path / "settings.damaged.json").read_text() == '{"look": {"theme": "dark"'
    assert settings.save() == ""
    assert Settings.load(file)[1] == ""


@pytest.mark.parametrize(
    "content", ['{"unknown": 1}', '{"audio": {"gain_db": 900}}', "[]", "", '{"check_online": true}', "\x00\xff"]
)
def test_that_what_no_version_wrote_is_refused(tmp_path, content):
    file = tmp_path / "settings.json"
    file.write_text(content)
    settings, notice = Settings.load(file)
    assert notice
    assert settings.model_dump() == Settings().model_dump()


def test_that_a_value_out_of_bounds_cannot_be_assigned():
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.audio.speed = 100.0
    assert settings.audio.speed == 1.0


def test_that_two_settings_share_nothing():
    one, other = Settings(), Settings()
    one.layout.splitters["main"] = [1]
    one.layout.expanded.append("ucs")
    one.look.theme = "light"
    assert other.layout.splitters == {}
    assert "ucs" not in other.layout.expanded
    assert other.look.theme == "dark"


def test_that_a_save_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch):
    file = tmp_path / "settings.json"
    settings, _ = Settings.load(file)
    settings.save()
    before = file.read_bytes()
    settings.look.theme = "light"

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in settings.save()
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".settings")] == []


def test_that_settings_without_a_file_are_only_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings().save() == ""
    assert list(tmp_path.glob("*.json")) == []


def test_that_the_default_place_is_the_platforms(tmp_path):
    assert default_settings_file() == tmp_path / "platform" / "config" / "earshot" / "settings.json"


def test_that_a_folder_of_any_name_can_be_remembered(tmp_path):
    settings, _ = Settings.load(tmp_path / "settings.json")
    settings.library = str(Path("Töne & <b>Geräusche</b>"))
    settings.save()
    assert Settings.load(tmp_path / "settings.json")[0].library == "Töne & <b>Geräusche</b>"


def test_that_a_name_that_is_no_text_can_be_kept(tmp_path: Path) -> None:
    settings, _ = Settings.load(tmp_path / "settings.json")
    settings.export.folder = os.fsdecode(b"/sounds/gate \xff")
    settings.layout.expanded = [os.fsdecode(b"folder:/\xfe")]
    assert settings.save() == ""
    kept, notice = Settings.load(tmp_path / "settings.json")
    assert not notice
    assert kept.export.folder == "/sounds/gate \\udcff"
    assert kept.layout.expanded == settings.layout.expanded
