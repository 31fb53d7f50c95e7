from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QShortcut
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from app.jobs.model import ModelState
from app.models.folders import NodeKind
from app.panels import desk as desk_module
from app.panels.main_window import MainWindow
from app.settings import Settings
from core.encoders.load import find_model
from core.errors import LibraryError
from core.library import Library
from core.search.query import QuerySpec


def urls(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def drag_over(window: MainWindow, data: QMimeData) -> QDragEnterEvent:
    event = QDragEnterEvent(
        QPoint(600, 300), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dragEnterEvent(event)
    return event


def drop_on(window: MainWindow, data: QMimeData) -> QDropEvent:
    event = QDropEvent(
        QPointF(600, 300), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)
    return event


def test_that_the_window_is_painted_before_the_library_is_opened(windows, library_folder, qtbot):
    window = windows.open(library_folder, wait=False)
    assert window.desk is None
    assert window.opening.message.text() == "Opening the library…"
    order: list[str] = []
    window.painted.connect(lambda: order.append("painted"))
    window.library_opened.connect(lambda: order.append("opened"))
    qtbot.waitUntil(lambda: window.desk is not None, timeout=30_000)
    windows.idle(window)
    assert order == ["painted", "opened"]


def test_that_a_search_is_answered_in_the_list(window, windows, qtbot):
    desk = window.desk
    desk.search_panel.set_spec(QuerySpec(text="a dog barks"))
    qtbot.waitUntil(lambda: desk.listing.question is not None and not desk.search.is_busy, timeout=30_000)
    windows.idle(window)
    names = [row.name for row in desk.results.board.results(range(2))]
    assert all("Dog" in name for name in names)
    qtbot.waitUntil(lambda: desk.model.state is ModelState.READY, timeout=30_000)


def test_that_choosing_a_folder_lists_its_sounds(window, windows, qtbot):
    desk = window.desk
    desk.library_panel.all_selected.emit()
    windows.idle(window)
    assert len(desk.results.all_ids()) == 8
    desk.library_panel.folder_selected.emit(desk.library_panel.content.roots[0].path)
    windows.idle(window)
    assert len(desk.results.all_ids()) == 8
    desk.library_panel.favourites_selected.emit()
    windows.idle(window)
    assert len(desk.results.all_ids()) == 0


def test_that_a_folder_inside_lists_what_lies_below_it(window, windows, small_sounds):
    desk = window.desk
    index = desk.library_panel.model.find(NodeKind.SUBFOLDER, str(small_sounds / "animals"))
    desk.library_panel.tree.setCurrentIndex(index)
    windows.idle(window)
    assert {row.path.parent for row in desk.results.board.results(range(3))} == {small_sounds / "animals"}
    assert len(desk.results.all_ids()) == 3


def test_that_what_is_searched_in_is_seen_and_ends_with_the_next_list(window, windows, qtbot):
    desk = window.desk
    desk.library_panel.all_selected.emit()
    windows.idle(window)
    few = desk.results.all_ids()[:3].tolist()
    desk.results.within_requested.emit(few)
    assert desk.results.all_ids().tolist() == few
    assert not desk.results.head.within_button.isHidden()
    desk.search_panel.set_spec(QuerySpec(where=("duration>0",)))
    qtbot.waitUntil(lambda: desk.listing.question is not None, timeout=30_000)
    windows.idle(window)
    assert sorted(desk.results.all_ids().tolist()) == sorted(few)
    desk.library_panel.all_selected.emit()
    windows.idle(window)
    assert desk.results.head.within_button.isHidden()
    desk.search_panel.set_spec(QuerySpec(where=("duration>0.01",)))
    qtbot.waitUntil(lambda: desk.listing.question is not None, timeout=30_000)
    windows.idle(window)
    assert len(desk.results.all_ids()) == 8


def test_that_a_list_that_is_chosen_is_not_overtaken_by_an_answer(window, windows):
    desk = window.desk
    desk.search.ask(QuerySpec(where=("duration>0",)), now=True)
    desk.library_panel.favourites_selected.emit()
    windows.idle(window)
    assert desk.listing.question is None
    assert len(desk.results.all_ids()) == 0


def test_that_a_similar_sound_is_gone_to_where_it_is_listed(window, windows):
    desk = window.desk
    desk.library_panel.all_selected.emit()
    windows.idle(window)
    other = desk.results.board.results([4])[0]
    desk.results.go_to(other.file_id)
    assert desk.results.current() == other
    assert not desk.results.go_to(10_000)
    assert desk.results.current() == other


def test_that_sounds_are_taken_out_of_the_listed_collection(window, windows):
    desk, library = window.desk, window.library
    ids = library.list_files()[:3].tolist()
    library.add_to_collection(made := library.create_collection("Castle"), ids)
    desk.library_panel.collection_selected.emit(made, "Castle")
    windows.idle(window)
    desk.results.go_to(ids[1])
    menu = desk.results.menu()
    entry = next(action for action in menu.actions() if action.text() == "Take out of this collection")
    entry.trigger()
    windows.idle(window)
    assert desk.results.all_ids().tolist() == [ids[0], ids[2]]
    assert library.collection_files(made).tolist() == [ids[0], ids[2]]
    desk.library_panel.all_selected.emit()
    windows.idle(window)
    desk.results.go_to(ids[0])
    assert all(action.text() != "Take out of this collection" for action in desk.results.menu().actions())


def test_that_a_category_lists_its_sounds(window, windows):
    desk = window.desk
    desk.library_panel.ucs_selected.emit("ANMLDog", "Dog")
    windows.idle(window)
    assert len(desk.results.all_ids()) == 1


def test_that_a_list_for_another_line_is_not_overtaken(window, windows):
    desk = window.desk
    desk.library_panel.all_selected.emit()
    desk.library_panel.favourites_selected.emit()
    windows.idle(window)
    assert len(desk.results.all_ids()) == 0


def test_that_the_favourite_key_marks_the_selected_sounds(window, windows, qtbot):
    desk = window.desk
    desk.library_panel.all_selected.emit()
    windows.idle(window)
    desk.results.focus()
    desk.commands.toggle_favourite()
    windows.idle(window)
    assert len(window.library.list_files("favourite:yes")) == 1
    assert desk.library_panel.content.favourites == 1


def test_that_the_welcome_is_shown_until_there_is_a_folder(windows, tmp_path, small_sounds, qtbot):
    window = windows.open(tmp_path / "new-library")
    desk = window.desk
    assert desk.welcome.isVisible()
    assert not desk.results.isVisible()
    assert not desk.player.isVisible()
    desk.welcome.folders_dropped.emit([small_sounds / "animals"])
    windows.idle(window)
    assert not desk.welcome.isVisible()
    assert desk.results.isVisible()
    assert desk.library_panel.content.files == 3


def test_that_the_samples_are_offered_and_can_be_added(windows, tmp_path, small_sounds, monkeypatch, qtbot):
    monkeypatch.setattr(desk_module, "SAMPLES", small_sounds / "house")
    window = windows.open(tmp_path / "new-library")
    assert window.desk.welcome.samples_button.isVisible()
    qtbot.mouseClick(window.desk.welcome.samples_button, Qt.MouseButton.LeftButton)
    windows.idle(window)
    assert window.desk.library_panel.content.files == 2


def test_that_dragging_says_what_a_drop_will_do(window, small_sounds, tmp_path):
    (tmp_path / "folder").mkdir()
    assert drag_over(window, urls(tmp_path / "folder")).isAccepted()
    assert window.overlay.isVisible()
    assert window.overlay.title == "Add to the library"
    sound = small_sounds / "house/Door Knock Urgent.wav"
    assert drag_over(window, urls(sound)).isAccepted()
    assert (window.overlay.title, window.overlay.detail) == ("Search by this sound", "Door Knock Urgent.wav")
    window.dragLeaveEvent(QDragLeaveEvent())
    assert not window.overlay.isVisible()


def test_that_what_is_of_no_use_is_not_taken(window, tmp_path):
    (tmp_path / "notes.txt").write_text("no sound")
    assert not drag_over(window, urls(tmp_path / "notes.txt")).isAccepted()
    assert not window.overlay.isVisible()
    text = QMimeData()
    text.setText("only words")
    assert not drop_on(window, text).isAccepted()


def test_that_a_dropped_sound_is_searched_by(window, windows, small_sounds, qtbot):
    event = drop_on(window, urls(small_sounds / "animals/Dog Excited Barking.flac"))
    assert event.isAccepted()
    assert event.dropAction() == Qt.DropAction.CopyAction, "the file is not moved"
    assert [clip.path.name for clip in window.desk.search_panel.spec().clips] == ["Dog Excited Barking.flac"]
    qtbot.waitUntil(lambda: window.desk.listing.question is not None, timeout=30_000)
    windows.idle(window)
    assert any("Dog" in row.name for row in window.desk.results.board.results([0]))


def test_that_a_dropped_folder_is_added(window, windows, tmp_path, small_sounds):
    import shutil

    shutil.copytree(small_sounds / "house", tmp_path / "more")
    drop_on(window, urls(tmp_path / "more"))
    windows.idle(window)
    assert {root.path.name for root in window.library.roots()} == {"sounds", "more"}


def test_that_a_known_error_is_shown_with_its_way_out(window, errors, qtbot):
    errors.known(LibraryError("The <b>disk</b> is full.", "Make room."))
    qtbot.waitUntil(lambda: window.beside.find("trouble") is not None)
    dialog = window.beside.find("trouble")
    assert dialog.message.text() == "The <b>disk</b> is full."
    assert dialog.message.textFormat() == Qt.TextFormat.PlainText
    assert dialog.way_out.text() == "Make room."
    assert not dialog.isModal(), "work can go on beside it"
    assert dialog.testAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating), "typing goes on where it was"


def test_that_a_bug_is_shown_with_a_report_to_copy(window, errors, qtbot, expected_log, qapp):
    expected_log.append("unexpected RuntimeError")
    errors.bug(RuntimeError("odd"))
    qtbot.waitUntil(lambda: window.beside.find("trouble") is not None)
    dialog = window.beside.find("trouble")
    dialog.copy_button.click()
    assert "RuntimeError: odd" in qapp.clipboard().text()


def test_that_a_library_that_cannot_be_opened_leaves_a_way_out(windows, tmp_path, qtbot, monkeypatch):
    (tmp_path / "file").write_text("this is no folder")
    window = windows.open(tmp_path / "file", wait=False)
    qtbot.waitUntil(lambda: window.opening.buttons["retry"].isVisible(), timeout=30_000)
    assert window.opening.message.text() != "Opening the library…"
    assert window.opening.buttons["choose"].isVisible()
    (tmp_path / "file").unlink()
    qtbot.mouseClick(window.opening.buttons["retry"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.desk is not None, timeout=30_000)
    windows.idle(window)


def test_that_closing_while_indexing_stops_and_goes_on_next_time(windows, tmp_path, small_sounds, qtbot):
    window = windows.open(tmp_path / "library")
    window.desk.add_folders([small_sounds])
    qtbot.waitUntil(lambda: window.desk.controller.phase == "indexing", timeout=30_000)
    window.close()
    assert window.library is None, "everything came to rest within two seconds, and the library was closed"
    again = windows.open(tmp_path / "library")
    assert len(again.library.list_files("state:ready")) == 8


def test_that_the_places_of_the_regions_are_remembered(windows, library_folder, tmp_path):
    window = windows.open(library_folder)
    window.desk.columns.setSizes([300, 640, 340])
    sizes = window.desk.columns.sizes()
    assert sizes[0] == 300
    window.close()
    kept, notice = Settings.load(tmp_path / "settings.json")
    assert notice == ""
    assert kept.layout.geometry
    # The offscreen screen is smaller than the window; how the window itself comes back is seen on a real one.
    kept.layout.geometry = ""
    kept.indexing.watch = kept.captions.enabled = False
    again = windows.open(library_folder, kept)
    assert again.desk.columns.sizes() == sizes


def test_that_regions_can_be_hidden_and_stay_hidden(windows, library_folder, settings):
    window = windows.open(library_folder)
    window.desk.toggle_region("inspector")
    assert not window.desk.inspector.isVisible()
    window.close()
    again = windows.open(library_folder)
    assert not again.desk.inspector.isVisible()
    again.desk.toggle_region("inspector")
    assert again.desk.inspector.isVisible()


def test_that_another_device_opens_the_library_anew(window, windows, qtbot):
    first = window.library
    window._settings.device = "cpu"
    window.reopen()
    qtbot.waitUntil(lambda: window.desk is not None and window.library is not first, timeout=30_000)
    windows.idle(window)
    assert isinstance(window.library, Library)
    assert len(window.desk.library_panel.content.roots) == 1


def test_that_no_key_is_bound_twice_in_the_window(window):
    keys: dict[str, QShortcut] = {}
    for shortcut in window.findChildren(QShortcut):
        for key in list(shortcut.keys()):
            assert key.toString() not in keys, key.toString()
            keys[key.toString()] = shortcut
    assert {"Space", "Ctrl+F", "Esc", "Ctrl+D", "Ctrl+C", "Left", "Right", "?"} <= keys.keys()


def test_that_every_action_of_the_sheet_is_bound(window, shortcuts):
    bound = {key.toString() for shortcut in window.findChildren(QShortcut) for key in list(shortcut.keys())}
    missing = [action.id for action in shortcuts.actions() if not set(action.keys) & bound]
    assert missing == []


def test_that_the_regions_can_be_walked_by_key(window, windows, qtbot):
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    desk = window.desk
    desk.library_panel.all_selected.emit()
    windows.idle(window)
    desk.search_panel.focus()
    visited = []
    for _ in range(6):
        desk.commands.focus_region(1)
        focus = QApplication.focusWidget()
        visited.append(
            next(
                name
                for name in ("search_panel", "library_panel", "results", "inspector", "player", "status")
                if getattr(desk, name).isAncestorOf(focus)
            )
        )
    assert visited == ["library_panel", "results", "inspector", "player", "status", "search_panel"]


def test_that_every_control_has_a_name(window, windows, qtbot):
    window.desk.library_panel.all_selected.emit()
    windows.idle(window)
    nameless = []
    for widget in window.findChildren(QWidget):
        takes_focus = widget.focusPolicy() != Qt.FocusPolicy.NoFocus and not widget.objectName().startswith("qt_")
        is_shown = widget.isVisible() and takes_focus and not isinstance(widget, QLabel)
        has_text = isinstance(widget, QAbstractButton) and widget.text()
        if is_shown and not (widget.accessibleName() or has_text or widget.focusProxy() is not None):
            nameless.append(f"{type(widget).__name__} {widget.objectName()} in {type(widget.parent()).__name__}")
    assert nameless == []


def test_that_labels_never_read_markup(window):
    rich = [
        f"{label.objectName()}: {label.text()[:40]}"
        for label in window.findChildren(QLabel)
        if label.textFormat() != Qt.TextFormat.PlainText and label.text()
    ]
    assert rich == []


def test_that_the_theme_switches_and_is_remembered(window, settings, qapp):
    from app.theme import apply_theme, theme_name

    window.toggle_theme()
    try:
        assert theme_name() == "light"
        assert settings.look.theme == "light"
    finally:
        apply_theme(qapp, "dark")


def test_that_the_model_of_an_update_takes_over_while_the_window_is_open(
    windows, library_folder, tmp_path, monkeypatch, qtbot
):
    from installed_model import install_small_model

    old = find_model().card
    new = install_small_model(version="9.0.0", name=old.name, folder=tmp_path / "program" / "models" / old.name)
    monkeypatch.setattr("core.encoders.load.RESOURCES", tmp_path / "program")
    window = windows.open(library_folder, wait=False)
    shown = []
    window.library_opened.connect(lambda: shown.append((window.library.card.id, window.desk.model.model_id)))
    qtbot.waitUntil(lambda: bool(shown), timeout=30_000)
    assert shown == [(old.id, old.id)]
    windows.idle(window)
    assert window.library.card.id == new.id
    qtbot.waitUntil(lambda: new.id in window.desk.status.model_button.text(), timeout=30_000)
    assert [path.name for path in (library_folder / "models").iterdir()] == [new.id]
