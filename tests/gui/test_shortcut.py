from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QComboBox,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from app.shortcut import ShortcutMap, actions

Key = Qt.Key


@pytest.fixture
def window(qtbot):
    made = QWidget()
    made.list, made.line, made.text, made.button = QListWidget(), QLineEdit(), QPlainTextEdit(), QPushButton("Go")
    made.slider, made.combo = QSlider(Qt.Orientation.Horizontal), QComboBox()
    layout = QVBoxLayout(made)
    for widget in (made.list, made.line, made.text, made.button, made.slider, made.combo):
        layout.addWidget(widget)
    qtbot.addWidget(made)
    made.show()
    made.activateWindow()
    qtbot.waitActive(made).__enter__()
    qtbot.waitUntil(made.isActiveWindow)
    return made


@pytest.fixture
def heard(shortcuts, window) -> list[str]:
    """What was started, by the ids of actions with plain keys and with Ctrl."""
    started: list[str] = []
    for action_id in ("play.toggle", "play.loop", "rating.3", "help.shortcuts", "seek.back", "play.stop", "copy.path"):
        shortcuts.bind(window, action_id, _say(started, action_id))
    shortcuts.bind(window, "search.focus", _say(started, "search.focus"))
    shortcuts.bind(window, "favourite.toggle", _say(started, "favourite.toggle"))
    return started


def _say(started: list[str], action_id: str) -> Callable[[], None]:
    return lambda: started.append(action_id)


def press(qtbot, widget: QWidget, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    widget.setFocus()
    assert widget.hasFocus()
    qtbot.keyClick(widget, key, modifier)


def test_that_plain_keys_start_actions_from_a_list(qtbot, window, heard):
    for key in (Key.Key_Space, Key.Key_L, Key.Key_3, Key.Key_Question, Key.Key_Left, Key.Key_Escape):
        press(qtbot, window.list, key)
    assert heard == ["play.toggle", "play.loop", "rating.3", "help.shortcuts", "seek.back", "play.stop"]


@pytest.mark.parametrize("field", ["line", "text"])
def test_that_letters_digits_and_space_stay_text_in_a_text_field(qtbot, window, heard, field):
    widget = getattr(window, field)
    for key in (Key.Key_L, Key.Key_Space, Key.Key_3, Key.Key_Question, Key.Key_Left):
        press(qtbot, widget, key)
    assert heard == []
    written = widget.text() if field == "line" else widget.toPlainText()
    assert written.lower() == "l 3?"


@pytest.mark.parametrize("field", ["line", "text"])
def test_that_keys_that_write_nothing_work_from_a_text_field(qtbot, window, heard, field):
    widget = getattr(window, field)
    press(qtbot, widget, Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    press(qtbot, widget, Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    press(qtbot, widget, Key.Key_Escape)
    assert heard == ["search.focus", "favourite.toggle", "play.stop"]


def test_that_copying_in_a_text_field_copies_the_text(qtbot, window, heard, qapp):
    window.line.setText("metal gate")
    window.line.selectAll()
    press(qtbot, window.line, Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert heard == []
    assert qapp.clipboard().text() == "metal gate"


def test_that_a_read_only_field_does_not_keep_letters(qtbot, window, heard):
    window.text.setReadOnly(True)
    press(qtbot, window.text, Key.Key_L)
    assert heard == ["play.loop"]


def test_that_space_still_presses_a_focused_button(qtbot, window, heard):
    pressed: list[bool] = []
    window.button.clicked.connect(lambda: pressed.append(True))
    press(qtbot, window.button, Key.Key_Space)
    assert pressed == [True]
    assert heard == []
    press(qtbot, window.button, Key.Key_L)
    assert heard == ["play.loop"]


def test_that_arrows_still_move_a_focused_slider(qtbot, window, heard):
    window.slider.setValue(10)
    press(qtbot, window.slider, Key.Key_Left)
    assert window.slider.value() == 9
    assert heard == []


def test_that_no_two_actions_share_a_key_by_default(shortcuts):
    for action in shortcuts.actions():
        for key in shortcuts.keys(action.id):
            assert not key.isEmpty()
            assert shortcuts.conflict(action.id, key) is None, f"{action.id}: {key.toString()}"


def test_that_ids_are_unique_and_labels_say_something():
    ids = [action.id for action in actions()]
    assert len(set(ids)) == len(ids)
    assert all(action.label and action.group for action in actions())


def test_that_a_new_key_works_at_once_and_the_old_one_no_more(qtbot, window, heard, shortcuts):
    shortcuts.rebind("play.toggle", [QKeySequence("P")])
    press(qtbot, window.list, Key.Key_P)
    press(qtbot, window.list, Key.Key_Space)
    assert heard == ["play.toggle"]
    assert shortcuts.text("play.toggle") == "P"


def test_that_choices_are_remembered_and_defaults_are_not_stored(shortcuts, settings):
    shortcuts.rebind("play.loop", [QKeySequence("Ctrl+K"), QKeySequence("K")])
    assert settings.shortcuts == {"play.loop": ["Ctrl+K", "K"]}
    assert [key.toString() for key in ShortcutMap(settings).keys("play.loop")] == ["Ctrl+K", "K"]
    shortcuts.rebind("play.loop", [QKeySequence("L")])
    assert settings.shortcuts == {}


def test_that_a_taken_key_is_refused(shortcuts, settings):
    with pytest.raises(ValueError, match=r"play\.stop"):
        shortcuts.rebind("play.toggle", [QKeySequence("Esc")])
    assert settings.shortcuts == {}


def test_that_all_keys_of_an_action_can_be_taken_away_and_given_back(qtbot, window, heard, shortcuts):
    shortcuts.rebind("play.toggle", [])
    press(qtbot, window.list, Key.Key_Space)
    assert heard == []
    assert shortcuts.hint("play.toggle") == "Play or pause"
    shortcuts.reset()
    press(qtbot, window.list, Key.Key_Space)
    assert heard == ["play.toggle"]
    assert shortcuts.hint("play.toggle") == "Play or pause (Space)"


def test_that_an_action_is_bound_once_in_a_window(shortcuts, window, heard):
    with pytest.raises(ValueError, match="bound already"):
        shortcuts.bind(window.list, "play.toggle", lambda: None)
    other = QWidget()
    shortcuts.bind(other, "play.toggle", lambda: None)


def test_that_an_unknown_action_is_an_error(shortcuts, window):
    with pytest.raises(KeyError):
        shortcuts.bind(window, "no.such", lambda: None)
