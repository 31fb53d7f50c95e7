from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMessageBox

from app.panels import preferences
from app.panels.preferences import PAGES, PreferencesDialog
from app.panels.shortcuts import ShortcutEditor, ShortcutSheet
from app.plain import PlainLabel
from app.settings import Settings
from core.audio.device import DeviceError, SoundDevice
from core.encoders import device as devices_of_core
from core.encoders.device import FoundDevice

SPEAKERS = SoundDevice("Speakers <b>", "ALSA", 2, 48_000, True)
MICROPHONE = SoundDevice("Microphone", "ALSA", 1, 48_000, True)


@pytest.fixture
def found(monkeypatch) -> dict[str, object]:
    """What this computer has, in place of what it really has."""
    there: dict[str, object] = {
        "audio": ([SPEAKERS], [MICROPHONE]),
        "devices": (FoundDevice("cpu", "8 threads"), FoundDevice("cuda", "A graphics card", 8_000_000_000)),
    }

    def audio():
        if isinstance(there["audio"], Exception):
            raise there["audio"]
        return there["audio"]

    monkeypatch.setattr(preferences, "_audio_devices", audio)
    monkeypatch.setattr(devices_of_core, "found_devices", lambda: there["devices"])
    return there


@pytest.fixture
def dialog(found, small_library, runner, settings, errors, shortcuts, qtbot, until_idle):
    made = PreferencesDialog(
        runner=runner, settings=settings, errors=errors, shortcuts=shortcuts, library=small_library
    )
    qtbot.addWidget(made)
    until_idle()
    return made


def label(dialog: PreferencesDialog, name: str) -> str:
    return dialog.findChild(PlainLabel, name).text()


def test_that_every_page_can_be_shown_by_name(dialog):
    for number, name in enumerate(PAGES):
        dialog.show_page(name)
        assert dialog.tabs.currentIndex() == number
    assert dialog.tabs.count() == len(PAGES)


def test_that_devices_that_were_found_are_named(dialog):
    assert label(dialog, "preferences.devices") == "Found: A graphics card (8.0 GB)\nProcessor: 8 threads"


def test_that_a_machine_without_a_graphics_card_says_so(
    found, small_library, runner, settings, errors, shortcuts, qtbot, until_idle
):
    found["devices"] = (FoundDevice("cpu", "2 threads"),)
    made = PreferencesDialog(
        runner=runner, settings=settings, errors=errors, shortcuts=shortcuts, library=small_library
    )
    qtbot.addWidget(made)
    until_idle()
    assert label(made, "preferences.devices") == (
        "No CUDA device was found; the processor is used.\nProcessor: 2 threads"
    )


def test_that_the_model_is_shown_with_its_windows_and_hop(dialog, small_library):
    card = small_library.card
    assert dialog.models.model.currentData() == card.id
    facts = label(dialog, "preferences.model")
    assert f"Windows of {card.window_s:g} s every {card.hop_s:g} s" in facts
    assert card.licence in facts


def test_that_another_device_holds_only_when_it_is_applied(dialog, settings, qtbot):
    assert not dialog.models.apply_button.isEnabled()
    dialog.models.device.setCurrentIndex(dialog.models.device.findData("cpu"))
    assert settings.device == "auto"
    assert dialog.models.apply_button.isEnabled()
    with qtbot.waitSignal(dialog.reopen_requested):
        qtbot.mouseClick(dialog.models.apply_button, Qt.MouseButton.LeftButton)
    assert settings.device == "cpu"
    assert not dialog.models.apply_button.isEnabled()


def test_that_a_choice_is_kept_on_disk_when_the_window_is_closed(dialog, settings, tmp_path):
    dialog.theme.setCurrentIndex(dialog.theme.findData("light"))
    dialog.indexing.captions.setChecked(False)
    dialog.indexing.decoded.setValue(512)
    dialog.close()
    kept = Settings.load(tmp_path / "settings.json")[0]
    assert (kept.look.theme, kept.captions.enabled, kept.caches.decoded_mib) == ("light", False, 512)


def test_that_a_theme_is_told_at_once(dialog, qtbot, settings):
    with qtbot.waitSignal(dialog.theme_changed):
        dialog.theme.setCurrentIndex(dialog.theme.findData("light"))
    assert settings.look.theme == "light"


def test_that_captioning_and_watching_are_told_at_once(dialog, qtbot, settings):
    with qtbot.waitSignal(dialog.indexing_changed):
        dialog.indexing.captions.setChecked(False)
    with qtbot.waitSignal(dialog.indexing_changed):
        dialog.indexing.watch.setChecked(False)
    assert not settings.captions.enabled
    assert not settings.indexing.watch


def test_that_the_outputs_are_offered_and_one_is_chosen(dialog, qtbot, settings):
    assert [dialog.output.itemText(row) for row in range(2)] == ["The system's", "Speakers <b>"]
    with qtbot.waitSignal(dialog.audio_changed):
        dialog.output.setCurrentIndex(1)
    assert settings.audio.output_device == SPEAKERS.key


def test_that_an_output_that_is_gone_is_still_shown(
    found, small_library, runner, settings, errors, shortcuts, qtbot, until_idle
):
    settings.audio.output_device = "ALSA: Interface"
    made = PreferencesDialog(
        runner=runner, settings=settings, errors=errors, shortcuts=shortcuts, library=small_library
    )
    qtbot.addWidget(made)
    until_idle()
    assert made.output.currentText() == "ALSA: Interface (not connected)"
    assert settings.audio.output_device == "ALSA: Interface"


def test_that_a_machine_without_sound_is_a_sentence(
    found, small_library, runner, settings, errors, shortcuts, qtbot, until_idle
):
    found["audio"] = DeviceError("PortAudio is not installed.", "Install libportaudio2.")
    made = PreferencesDialog(
        runner=runner, settings=settings, errors=errors, shortcuts=shortcuts, library=small_library
    )
    qtbot.addWidget(made)
    until_idle()
    assert label(made, "preferences.audio") == "PortAudio is not installed. Install libportaudio2."


def test_that_nothing_online_is_checked_and_that_cannot_be_switched_on(dialog, settings):
    assert dialog.nothing_online.isChecked()
    assert not dialog.nothing_online.isEnabled()
    assert settings.check_online is False


def test_that_emptying_the_cache_takes_only_what_can_be_made_again(dialog, settings, until_idle, tmp_path, qtbot):
    settings.caches.folder = str(tmp_path / "cache")
    regions = tmp_path / "cache" / "regions"
    regions.mkdir(parents=True)
    (regions / "gate.wav").write_bytes(b"x" * 2_000)
    (tmp_path / "cache" / "notes.txt").write_text("mine")
    dialog.show_page("indexing")
    dialog.indexing.empty_button.click()
    (question,) = dialog.findChildren(QMessageBox)
    assert "project" in question.informativeText()
    assert (regions / "gate.wav").exists(), "not without asking"
    next(one for one in question.buttons() if one.text() == "Empty it").click()
    until_idle()
    assert not (regions / "gate.wav").exists()
    assert (tmp_path / "cache" / "notes.txt").exists()


def test_that_the_cache_gets_a_folder_of_its_own_where_it_is_put(dialog, settings, until_idle, tmp_path):
    (tmp_path / "Music" / "regions").mkdir(parents=True)
    (tmp_path / "Music" / "regions" / "mine.wav").write_bytes(b"x")
    dialog.indexing.put_cache_in(tmp_path / "Music")
    dialog.indexing.put_cache_in(settings.caches.place())
    dialog.indexing._empty_cache()
    until_idle()
    assert settings.caches.place() == tmp_path / "Music" / "Earshot cache"
    assert (tmp_path / "Music" / "regions" / "mine.wav").exists()


def test_that_every_field_has_a_name(dialog):
    from PySide6.QtWidgets import QAbstractButton, QComboBox, QSpinBox

    for kind in (QComboBox, QSpinBox):
        assert all(widget.accessibleName() for widget in dialog.findChildren(kind))
    assert all(
        button.text() or button.accessibleName()
        for button in dialog.findChildren(QAbstractButton)
        if not button.objectName().startswith("qt_") and button.focusPolicy() != Qt.FocusPolicy.NoFocus
    )


# The editor of shortcuts.


@pytest.fixture
def editor(shortcuts, qtbot) -> ShortcutEditor:
    made = ShortcutEditor(shortcuts=shortcuts)
    qtbot.addWidget(made)
    return made


def enter(editor: ShortcutEditor, key: str) -> None:
    editor.keys.setKeySequence(QKeySequence(key))
    editor.keys.editingFinished.emit()


def test_that_a_pressed_key_becomes_the_actions_key(editor, shortcuts):
    editor.choose("play.toggle")
    enter(editor, "P")
    assert shortcuts.text("play.toggle") == "P"
    assert editor.list.currentItem().text(1) == "P"


def test_that_a_taken_key_is_refused_with_its_owner(editor, shortcuts):
    editor.choose("play.toggle")
    enter(editor, "Esc")
    assert shortcuts.text("play.toggle") == "Space"
    assert "“Stop”" in editor.message.text()


def test_that_a_key_can_be_taken_away_and_given_back(editor, shortcuts):
    editor.choose("play.toggle")
    editor.clear_button.click()
    assert shortcuts.keys("play.toggle") == []
    editor.default_button.click()
    assert shortcuts.text("play.toggle") == "Space"
    editor.choose("play.loop")
    enter(editor, "Ctrl+K")
    editor.all_button.click()
    assert shortcuts.text("play.loop") == "L"


def test_that_the_list_can_be_filtered_by_name_or_key(editor):
    editor.filter.setText("favour")
    assert [item.text(0) for item in editor._items() if not item.isHidden()] == ["Favourite"]
    editor.filter.setText("ctrl+f")
    assert [item.text(0) for item in editor._items() if not item.isHidden()] == ["Type a search"]


def test_that_the_sheet_shows_every_action_with_its_present_key(shortcuts, qtbot):
    shortcuts.rebind("play.toggle", [QKeySequence("P")])
    sheet = ShortcutSheet(shortcuts=shortcuts)
    qtbot.addWidget(sheet)
    texts = [one.text() for one in sheet.findChildren(PlainLabel)]
    assert all(action.label in texts for action in shortcuts.actions())
    assert texts[texts.index("Play or pause") + 1] == "P"


# Models of the user's own.


def test_that_a_clap_checkpoint_is_imported_and_chosen(dialog, tmp_path, until_idle, qtbot, settings):
    from small_clap import write_clap

    folder = write_clap(tmp_path / "my-clap")
    dialog.models.import_folder(folder)
    assert not dialog.models.import_button.isEnabled()
    until_idle()
    chosen = dialog.models.model.currentData()
    assert "my-clap" in chosen
    assert "(yours)" in dialog.models.model.currentText()
    assert chosen in label(dialog, "preferences.import")
    assert "listened to again" in label(dialog, "preferences.change")
    assert "8 sounds" in label(dialog, "preferences.change")
    with qtbot.waitSignal(dialog.reopen_requested):
        dialog.models.apply_button.click()
    assert settings.model == chosen
    assert not dialog.models.remove_button.isEnabled(), "the model in use cannot be removed"


def test_that_the_model_that_ships_is_chosen_for_all_its_versions(
    dialog, settings, small_library, tmp_path, until_idle, qtbot
):
    from small_model import card_fields, small_parts

    from core.encoders.assembly import save_dual_encoder

    card = save_dual_encoder(tmp_path / "run-7", small_parts(), {**card_fields(), "name": "mine"})
    dialog.models.import_folder(tmp_path / "run-7")
    until_idle()
    dialog.models.apply_button.click()
    assert settings.model == card.id
    dialog.models.model.setCurrentIndex(dialog.models.model.findData(small_library.card.id))
    with qtbot.waitSignal(dialog.reopen_requested):
        dialog.models.apply_button.click()
    assert settings.model == ""
    assert not dialog.models.apply_button.isEnabled()


def test_that_an_imported_model_can_be_removed_and_a_bundled_one_cannot(dialog, tmp_path, until_idle):
    from small_clap import write_clap

    assert not dialog.models.remove_button.isEnabled()
    dialog.models.import_folder(write_clap(tmp_path / "my-clap"))
    until_idle()
    chosen = dialog.models.model.currentData()
    assert dialog.models.remove_button.isEnabled()
    dialog.models.remove_chosen()
    until_idle()
    assert dialog.models.model.findData(chosen) < 0
    assert label(dialog, "preferences.import") == f"{chosen} was removed."
    assert (tmp_path / "my-clap").is_dir()


def test_that_a_folder_without_a_model_is_refused_with_the_reason(dialog, tmp_path, until_idle):
    (tmp_path / "holiday").mkdir()
    before = dialog.models.model.count()
    dialog.models.import_folder(tmp_path / "holiday")
    until_idle()
    assert str(tmp_path / "holiday") in label(dialog, "preferences.import")
    assert dialog.models.model.count() == before
    assert dialog.models.import_button.isEnabled()
    assert not dialog.models.cancel_button.isVisibleTo(dialog.models)


def test_that_a_model_that_the_user_trained_is_imported(dialog, tmp_path, until_idle):
    from small_model import card_fields, small_parts

    from core.encoders.assembly import save_dual_encoder

    card = save_dual_encoder(tmp_path / "run-7", small_parts(), {**card_fields(), "name": "mine"})
    dialog.models.import_folder(tmp_path / "run-7")
    until_idle()
    assert dialog.models.model.currentData() == card.id
    assert dialog.models.apply_button.isEnabled()
    dialog.models.import_folder(tmp_path / "run-7")
    until_idle()
    assert "already" in label(dialog, "preferences.import")
