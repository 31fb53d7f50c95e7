"""Keys for actions, all of which the user may change.

An action has an id, such as "play.toggle". Whoever carries it out binds it **once** per window::

    shortcuts.bind(panel, "play.toggle", player.toggle)

While a text field has the focus, letters, digits, Space and the keys that edit text stay with it; a button or a slider
keeps Space and the arrows that work it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QKeySequenceEdit,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
    QTreeView,
    QWidget,
)

from app.settings import Settings

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate


@dataclass(frozen=True, slots=True)
class Action:
    """Something that keys can start.

    Attributes:
        id: Its name in the code and in the settings.
        group: Heading in the shortcut sheet.
        label: What it does, in a few words.
        keys: Default keys in Qt's portable notation; "Ctrl" is Cmd on macOS.
        repeats: Whether holding the key repeats it.
    """

    id: str
    group: str
    label: str
    keys: tuple[str, ...]
    repeats: bool = False


def actions() -> tuple[Action, ...]:
    """Every action, in the order of the shortcut sheet. Labels are in the application's language."""
    search, listen, hand_over, sort, window = (
        translate("Shortcut", "Searching"),
        translate("Shortcut", "Listening"),
        translate("Shortcut", "Handing over"),
        translate("Shortcut", "Keeping order"),
        translate("Shortcut", "Window"),
    )
    return (
        Action("search.focus", search, translate("Shortcut", "Type a search"), ("Ctrl+F",)),
        Action("search.clear", search, translate("Shortcut", "New search"), ("Ctrl+N",)),
        Action("search.back", search, translate("Shortcut", "Search before this one"), ("Alt+Left",)),
        Action("search.forward", search, translate("Shortcut", "Search after this one"), ("Alt+Right",)),
        Action("search.save", search, translate("Shortcut", "Save this search"), ("Ctrl+S",)),
        Action("search.record", search, translate("Shortcut", "Record an example"), ("Ctrl+R",)),
        Action("search.more_like_this", search, translate("Shortcut", "More like this sound"), ("Ctrl+L",)),
        Action("search.region", search, translate("Shortcut", "Search by the region"), ("Ctrl+Shift+L",)),
        Action("search.within", search, translate("Shortcut", "Search inside these results"), ("Ctrl+Shift+F",)),
        Action("search.show_all", search, translate("Shortcut", "Show weak matches too"), ("Ctrl+Shift+A",)),
        Action("filters.toggle", search, translate("Shortcut", "Show or hide the filters"), ("Ctrl+Shift+G",)),
        Action("results.focus", search, translate("Shortcut", "Go to the results"), ("Ctrl+Down",)),
        Action("copy.path", hand_over, translate("Shortcut", "Copy the file"), ("Ctrl+C",)),
        Action("copy.caption", hand_over, translate("Shortcut", "Copy the caption"), ("Ctrl+Shift+C",)),
        Action("reveal", hand_over, translate("Shortcut", "Show in the file manager"), ("Ctrl+Shift+R",)),
        Action("export", hand_over, translate("Shortcut", "Export"), ("Ctrl+E",)),
        Action("play.toggle", listen, translate("Shortcut", "Play or pause"), ("Space",)),
        Action("play.stop", listen, translate("Shortcut", "Stop"), ("Esc",)),
        Action("play.from_start", listen, translate("Shortcut", "Play from the beginning"), ("Shift+Space",)),
        Action("seek.back", listen, translate("Shortcut", "Back one second"), ("Left",), repeats=True),
        Action("seek.forward", listen, translate("Shortcut", "Forward one second"), ("Right",), repeats=True),
        Action("seek.back_far", listen, translate("Shortcut", "Back ten seconds"), ("Shift+Left",), repeats=True),
        Action(
            "seek.forward_far", listen, translate("Shortcut", "Forward ten seconds"), ("Shift+Right",), repeats=True
        ),
        Action("play.loop", listen, translate("Shortcut", "Loop the region"), ("L",)),
        Action("play.reverse", listen, translate("Shortcut", "Play backwards"), ("R",)),
        Action("play.skip_silence", listen, translate("Shortcut", "Skip silence"), ("S",)),
        Action("play.auto_audition", listen, translate("Shortcut", "Play while going through the list"), ("A",)),
        Action("play.gain_up", listen, translate("Shortcut", "Louder"), ("+", "="), repeats=True),
        Action("play.gain_down", listen, translate("Shortcut", "Softer"), ("-",), repeats=True),
        Action("play.faster", listen, translate("Shortcut", "Faster and higher"), ("]",), repeats=True),
        Action("play.slower", listen, translate("Shortcut", "Slower and lower"), ("[",), repeats=True),
        Action(
            "view.zoom_in", listen, translate("Shortcut", "Zoom into the waveform"), ("Ctrl++", "Ctrl+="), repeats=True
        ),
        Action("view.zoom_out", listen, translate("Shortcut", "Zoom out"), ("Ctrl+-",), repeats=True),
        Action("view.zoom_all", listen, translate("Shortcut", "Whole sound"), ("Ctrl+0",)),
        Action("view.spectrogram", listen, translate("Shortcut", "Waveform or spectrogram"), ("G",)),
        Action("region.start", listen, translate("Shortcut", "Region begins here"), ("I",)),
        Action("region.end", listen, translate("Shortcut", "Region ends here"), ("O",)),
        Action("region.clear", listen, translate("Shortcut", "Clear the region"), ("Shift+Esc",)),
        Action("favourite.toggle", sort, translate("Shortcut", "Favourite"), ("Ctrl+D",)),
        Action("rating.0", sort, translate("Shortcut", "No rating"), ("0",)),
        Action("rating.1", sort, translate("Shortcut", "Rate 1"), ("1",)),
        Action("rating.2", sort, translate("Shortcut", "Rate 2"), ("2",)),
        Action("rating.3", sort, translate("Shortcut", "Rate 3"), ("3",)),
        Action("rating.4", sort, translate("Shortcut", "Rate 4"), ("4",)),
        Action("rating.5", sort, translate("Shortcut", "Rate 5"), ("5",)),
        Action("tag.add", sort, translate("Shortcut", "Add a tag"), ("T",)),
        Action("collection.add", sort, translate("Shortcut", "Add to a collection"), ("C",)),
        Action("caption.edit", sort, translate("Shortcut", "Edit the caption"), ("F2",)),
        Action("folder.add", window, translate("Shortcut", "Add a folder"), ("Ctrl+O",)),
        Action("index.pause", window, translate("Shortcut", "Pause or resume indexing"), ("Ctrl+P",)),
        Action("index.rescan", window, translate("Shortcut", "Look at the folders again"), ("F5",)),
        Action("view.library", window, translate("Shortcut", "Show or hide the library"), ("Ctrl+1",)),
        Action("view.inspector", window, translate("Shortcut", "Show or hide the inspector"), ("Ctrl+2",)),
        Action("view.list", window, translate("Shortcut", "Results as a list"), ("Ctrl+3",)),
        Action("view.captions", window, translate("Shortcut", "Results as captions"), ("Ctrl+4",)),
        Action("view.theme", window, translate("Shortcut", "Dark or light"), ("Ctrl+Shift+D",)),
        Action("panel.next", window, translate("Shortcut", "Next region"), ("F6",)),
        Action("panel.previous", window, translate("Shortcut", "Region before"), ("Shift+F6",)),
        Action("preferences", window, translate("Shortcut", "Preferences"), ("Ctrl+,",)),
        Action("indexing.show", window, translate("Shortcut", "Indexing and skipped files"), ("Ctrl+I",)),
        Action("log.show", window, translate("Shortcut", "Log"), ("Ctrl+Shift+I",)),
        Action("help.shortcuts", window, translate("Shortcut", "This sheet"), ("?", "F1")),
        Action("window.close", window, translate("Shortcut", "Close"), ("Ctrl+Q", "Ctrl+W")),
    )


class ShortcutMap(QObject):
    """Which keys start which action. The user's choices live in the settings.

    Args:
        settings: Its `shortcuts` hold what differs from the defaults.
        parent: Owner.
    """

    changed = Signal(str)

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._actions = {action.id: action for action in actions()}
        self._bound: dict[str, list[tuple[QShortcut, QWidget]]] = {}
        self._guard = ControlGuard(self)

    def actions(self) -> tuple[Action, ...]:
        """Every action, in order."""
        return tuple(self._actions.values())

    def action(self, action_id: str) -> Action:
        """One action.

        Raises:
            KeyError: There is none of that id.
        """
        return self._actions[action_id]

    def keys(self, action_id: str) -> list[QKeySequence]:
        """The keys of an action now; empty when the user took them all away."""
        chosen = self._settings.shortcuts.get(action_id, list(self._actions[action_id].keys))
        return [QKeySequence(key, QKeySequence.SequenceFormat.PortableText) for key in chosen]

    def text(self, action_id: str) -> str:
        """The first key of an action as people read it, or an empty string."""
        keys = self.keys(action_id)
        return keys[0].toString(QKeySequence.SequenceFormat.NativeText) if keys else ""

    def hint(self, action_id: str) -> str:
        """The label and the key, for a tooltip: "Play or pause (Space)"."""
        label, text = self._actions[action_id].label, self.text(action_id)
        return f"{label} ({text})" if text else label

    def bind(self, widget: QWidget, action_id: str, callback: Callable[[], object]) -> list[QShortcut]:
        """Have the action's keys call something while the widget's window is active.

        Raises:
            KeyError: There is no such action.
            ValueError: It is bound in this window already; its keys would then start neither.
        """
        alive = [(shortcut, owner) for shortcut, owner in self._bound.get(action_id, []) if shiboken6.isValid(shortcut)]
        if any(owner.window() is widget.window() for _, owner in alive):
            raise ValueError(f"{action_id} is bound already")
        shortcut = QShortcut(widget)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.setAutoRepeat(self._actions[action_id].repeats)
        shortcut.setKeys(self.keys(action_id))
        shortcut.activated.connect(callback)
        self._bound[action_id] = [*alive, (shortcut, widget)]
        return [shortcut]

    def conflict(self, action_id: str, key: QKeySequence) -> Action | None:
        """Another action that has this key."""
        for other in self._actions.values():
            if other.id != action_id and any(key == own for own in self.keys(other.id)):
                return other
        return None

    def rebind(self, action_id: str, keys: list[QKeySequence]) -> None:
        """Give an action other keys, or none. Saving the settings is the caller's business.

        Raises:
            KeyError: There is no such action.
            ValueError: Another action has one of the keys.
        """
        for key in keys:
            other = self.conflict(action_id, key)
            if other is not None:
                raise ValueError(f"{key.toString()} belongs to {other.id}")
        portable = [key.toString(QKeySequence.SequenceFormat.PortableText) for key in keys]
        chosen = dict(self._settings.shortcuts)
        if portable == list(self._actions[action_id].keys):
            chosen.pop(action_id, None)
        else:
            chosen[action_id] = portable
        self._settings.shortcuts = chosen
        self._refresh(action_id)

    def reset(self) -> None:
        """Give every action its default keys."""
        self._settings.shortcuts = {}
        for action_id in self._actions:
            self._refresh(action_id)

    def _refresh(self, action_id: str) -> None:
        for shortcut, _ in self._bound.get(action_id, []):
            if shiboken6.isValid(shortcut):
                shortcut.setKeys(self.keys(action_id))
        self.changed.emit(action_id)


class ControlGuard(QObject):
    """Leaves to the focused control the keys that it works with, before a shortcut can take them.

    Only the widget that has the focus is listened to: a filter for the whole application would run Python code at
    every event of every widget.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._watched: QWidget | None = None
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)
            self._on_focus_changed(None, application.focusWidget())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.ShortcutOverride or not isinstance(watched, QWidget):
            return False
        if isinstance(event, QKeyEvent) and belongs_to_control(watched, event):
            event.accept()
            return True
        return False

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if self._watched is not None and shiboken6.isValid(self._watched):
            self._watched.removeEventFilter(self)
        self._watched = new
        if new is not None:
            new.installEventFilter(self)


_CURSOR_KEYS = {
    Qt.Key.Key_Left,
    Qt.Key.Key_Right,
    Qt.Key.Key_Home,
    Qt.Key.Key_End,
    Qt.Key.Key_Backspace,
    Qt.Key.Key_Delete,
}
_ARROWS = {Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down}


def is_text_field(widget: QObject) -> bool:
    """Whether the keys that write belong to a widget."""
    if isinstance(widget, QComboBox):
        return widget.isEditable()
    if isinstance(widget, (QLineEdit, QPlainTextEdit, QTextEdit)):
        return not widget.isReadOnly()
    return isinstance(widget, (QAbstractSpinBox, QKeySequenceEdit)) or bool(widget.property("takes_text"))


def belongs_to_control(widget: QWidget, event: QKeyEvent) -> bool:
    """Whether a key press is the focused control's own; a widget may ask for letters by its property "takes_text"."""
    key = Qt.Key(event.key())
    plain = not event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
    if is_text_field(widget):
        writes = bool(event.text()) and event.text().isprintable()
        edits = key in _CURSOR_KEYS and not event.modifiers() & Qt.KeyboardModifier.AltModifier
        return (plain and writes) or edits or isinstance(widget, QKeySequenceEdit)
    if not plain:
        return False
    if isinstance(widget, QAbstractButton):
        return key == Qt.Key.Key_Space
    if isinstance(widget, (QAbstractSlider, QTabBar)):
        return key in _ARROWS
    if isinstance(widget, QComboBox):
        return key == Qt.Key.Key_Space or key in _ARROWS
    if isinstance(widget, QTreeView):
        return key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_F2) and widget.rootIsDecorated()
    return isinstance(widget, QAbstractItemView) and widget.state() == QAbstractItemView.State.EditingState
