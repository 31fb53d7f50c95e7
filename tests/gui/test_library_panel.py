from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QModelIndex, Qt, QUrl
from PySide6.QtTest import QAbstractItemModelTester

from app.jobs.indexing import IndexController
from app.models.folders import Node, NodeKind, SidebarModel, SidebarRole
from app.panels.library import LibraryPanel
from app.panels.sidebar_content import LibraryContent, read_content, sidebar_nodes
from core.catalogue.browse import RootRow
from core.catalogue.models import FileState
from core.search.query import QuerySpec


@pytest.fixture
def panel(small_library, runner, settings, errors, shortcuts, qtbot, until_idle):
    controller = IndexController(library=small_library, runner=runner, settings=settings, errors=errors)
    made = LibraryPanel(
        library=small_library,
        runner=runner,
        settings=settings,
        errors=errors,
        shortcuts=shortcuts,
        controller=controller,
    )
    qtbot.addWidget(made)
    QAbstractItemModelTester(made.model, QAbstractItemModelTester.FailureReportingMode.Fatal, made)
    made.reload()
    until_idle()
    yield made
    controller.close()


def titles(model: SidebarModel, parent: QModelIndex) -> list[str]:
    return [model.index(row, 0, parent).data() for row in range(model.rowCount(parent))]


def children(panel: LibraryPanel, section: str) -> list[str]:
    return titles(panel.model, panel.model.find(NodeKind.SECTION, section))


def drop(panel: LibraryPanel, kind: NodeKind, key: str, *paths: Path) -> bool:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where = panel.model.find(kind, key)
    return panel.model.dropMimeData(data, Qt.DropAction.CopyAction, -1, -1, where)


def node(key: str, *children: Node, title: str = "", note: str = "") -> Node:
    return Node(NodeKind.COLLECTION, key, title or key, note=note, children=children)


@pytest.mark.parametrize(
    "after",
    [
        (),
        (node("a"),),
        (node("c"), node("b"), node("a")),
        (node("a", node("a1"), node("a2")), node("x"), node("b", title="renamed")),
        (node("x"), node("y"), node("z")),
        (node("b"), node("a", node("a2")), node("c", note="busy")),
    ],
)
def test_that_any_content_turns_into_any_other_row_by_row(qapp, after):
    model = SidebarModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)
    model.show([node("a", node("a1"), node("a2")), node("b"), node("c")])
    model.show(after)

    def tree(parent: QModelIndex) -> tuple[Node, ...]:
        return tuple(model.node(model.index(row, 0, parent)) for row in range(model.rowCount(parent)))

    assert tree(QModelIndex()) == after
    for row, wanted in enumerate(after):
        assert tree(model.index(row, 0)) == wanted.children


def test_that_a_line_that_stays_keeps_its_index_when_others_change(qapp):
    model = SidebarModel()
    model.show([node("a"), node("b")])
    from PySide6.QtCore import QPersistentModelIndex

    kept = QPersistentModelIndex(model.find(NodeKind.COLLECTION, "b"))
    resets: list[bool] = []
    model.modelReset.connect(lambda: resets.append(True))
    model.show([node("new"), node("a", note="counting"), node("b")])
    assert kept.isValid()
    assert kept.row() == 2
    assert resets == []


def test_that_the_sidebar_shows_folders_counts_and_categories(panel, small_sounds):
    assert children(panel, "folders") == ["All sounds", "Recently added", "sounds"]
    index = panel.model.index(2, 0, panel.model.find(NodeKind.SECTION, "folders"))
    assert index.data(SidebarRole.COUNT) == 8
    assert index.data(SidebarRole.NOTE) == ""
    assert str(small_sounds) in index.data(Qt.ItemDataRole.ToolTipRole)
    assert children(panel, "collections") == ["Favourites"]
    assert len(children(panel, "ucs")) == 2


def test_that_choosing_a_line_tells_what_was_chosen(panel, small_library, qtbot, until_idle, small_sounds):
    small_library.create_collection("Castle")
    small_library.save_search("Rainy", QuerySpec(text="rain").to_json())
    panel.reload()
    until_idle()
    model = panel.model
    with qtbot.waitSignal(panel.folder_selected) as told:
        panel.tree.setCurrentIndex(model.index(2, 0, model.find(NodeKind.SECTION, "folders")))
    assert told.args == [small_sounds]
    with qtbot.waitSignal(panel.collection_selected) as told:
        panel.tree.setCurrentIndex(model.index(1, 0, model.find(NodeKind.SECTION, "collections")))
    assert told.args[1] == "Castle"
    with qtbot.waitSignal(panel.saved_selected) as told:
        panel.tree.setCurrentIndex(model.index(0, 0, model.find(NodeKind.SECTION, "saved")))
    assert told.args[0].text == "Rainy" or told.args[0].text == "rain"
    with qtbot.waitSignal(panel.ucs_selected):
        panel.tree.setCurrentIndex(model.index(0, 0, model.find(NodeKind.SECTION, "ucs")))
    for kind, key, signal in (
        (NodeKind.ALL, "all", panel.all_selected),
        (NodeKind.RECENT, "recent", panel.recent_selected),
        (NodeKind.FAVOURITES, "favourites", panel.favourites_selected),
    ):
        with qtbot.waitSignal(signal):
            panel.tree.setCurrentIndex(model.find(kind, key))


def test_that_clearing_the_selection_tells_nothing(panel, qtbot):
    panel.tree.setCurrentIndex(panel.model.find(NodeKind.ALL, "all"))
    with qtbot.assertNotEmitted(panel.all_selected):
        panel.clear_selection()
    assert not panel.tree.selectionModel().hasSelection()


def test_that_sounds_dropped_on_a_collection_are_put_into_it(panel, small_library, small_sounds, until_idle, qtbot):
    made = small_library.create_collection("Castle")
    panel.reload()
    until_idle()
    files = sorted((small_sounds / "animals").iterdir())[:2]
    with qtbot.waitSignal(panel.files_changed):
        assert drop(panel, NodeKind.COLLECTION, str(made), *files)
    until_idle()
    assert len(small_library.collection_files(made)) == 2
    assert panel.model.find(NodeKind.COLLECTION, str(made)).data(SidebarRole.COUNT) == 2


def test_that_a_file_from_outside_the_folders_can_be_collected(
    panel, small_library, tmp_path, small_sounds, until_idle
):
    made = small_library.create_collection("Castle")
    outside = tmp_path / "elsewhere.wav"
    outside.write_bytes((small_sounds / "house/Door Knock Urgent.wav").read_bytes())
    panel.reload()
    until_idle()
    drop(panel, NodeKind.COLLECTION, str(made), outside)
    until_idle()
    (file_id,) = small_library.collection_files(made).tolist()
    assert small_library.rows([file_id])[file_id].path == outside
    assert len(panel.content.roots) == 1, "its folder is not added"


def test_that_sounds_dropped_on_favourites_become_favourites(panel, small_library, small_sounds, until_idle):
    drop(panel, NodeKind.FAVOURITES, "favourites", small_sounds / "house/Door Knock Urgent.wav")
    until_idle()
    assert len(small_library.list_files("favourite:yes")) == 1
    assert panel.model.find(NodeKind.FAVOURITES, "favourites").data(SidebarRole.COUNT) == 1


def test_that_sounds_dropped_on_the_heading_make_a_collection(panel, small_library, small_sounds, until_idle):
    drop(panel, NodeKind.SECTION, "collections", small_sounds / "house/Door Knock Urgent.wav")
    until_idle()
    (row,) = small_library.collections()
    assert (row.name, row.files) == ("New collection", 1)


def test_that_folders_dropped_on_the_folders_are_to_be_added(panel, tmp_path, qtbot):
    (tmp_path / "more").mkdir()
    with qtbot.waitSignal(panel.add_folder_requested) as told:
        assert drop(panel, NodeKind.SECTION, "folders", tmp_path / "more")
    assert told.args == [[tmp_path / "more"]]


@pytest.mark.parametrize(
    ("kind", "key"), [(NodeKind.ALL, "all"), (NodeKind.RECENT, "recent"), (NodeKind.SECTION, "ucs")]
)
def test_that_nothing_can_be_dropped_where_it_means_nothing(panel, kind, key, small_sounds):
    assert not drop(panel, kind, key, small_sounds / "house/Door Knock Urgent.wav")


def test_that_text_files_cannot_be_collected(panel, tmp_path):
    (tmp_path / "notes.txt").write_text("no sound")
    assert not drop(panel, NodeKind.FAVOURITES, "favourites", tmp_path / "notes.txt")


def test_that_a_collection_is_renamed_in_its_place(panel, small_library, until_idle):
    made = small_library.create_collection("Castle")
    panel.reload()
    until_idle()
    index = panel.model.find(NodeKind.COLLECTION, str(made))
    assert index.flags() & Qt.ItemFlag.ItemIsEditable
    panel.model.setData(index, "  Old   castle ")
    until_idle()
    assert [row.name for row in small_library.collections()] == ["Old castle"]
    assert panel.model.find(NodeKind.COLLECTION, str(made)).data() == "Old castle"


def test_that_a_name_that_is_taken_is_refused_with_a_reason(panel, small_library, until_idle, errors, qtbot):
    small_library.create_collection("Castle")
    made = small_library.create_collection("Forest")
    panel.reload()
    until_idle()
    with qtbot.waitSignal(errors.known_raised):
        panel.model.setData(panel.model.find(NodeKind.COLLECTION, str(made)), "Castle")
    assert {row.name for row in small_library.collections()} == {"Castle", "Forest"}


def test_that_new_collections_get_names_of_their_own(panel, small_library, until_idle):
    panel.create_collection()
    until_idle()
    panel.create_collection()
    until_idle()
    assert [row.name for row in small_library.collections()] == ["New collection", "New collection 2"]


def test_that_the_menus_offer_what_can_be_done(panel, small_sounds):
    folder = panel.model.node(panel.model.index(2, 0, panel.model.find(NodeKind.SECTION, "folders")))
    labels = [label for label, _ in panel.menu.entries(folder)]
    assert "Look at it again" in labels
    assert "Take out of the library…" in labels
    assert "Add a folder…" in [label for label, _ in panel.menu.entries(None)]


def test_that_names_are_never_read_as_markup(panel, small_library, until_idle):
    small_library.create_collection("<b>bold</b>")
    panel.reload()
    until_idle()
    index = panel.model.index(1, 0, panel.model.find(NodeKind.SECTION, "collections"))
    assert index.data() == "<b>bold</b>"
    assert "&lt;b&gt;" in index.data(Qt.ItemDataRole.ToolTipRole)


class Resting:
    """A controller that does nothing."""

    phase = "idle"
    progress = None
    is_paused = False
    is_running = False

    def __init__(self, *, scanning: tuple[Path, ...] = ()) -> None:
        self._scanning = scanning

    def is_scanning(self, folder: Path) -> bool:
        return folder in self._scanning


def root(path: str, *, ready: int = 0, scanned: int = 0, skipped: int = 0, offline: bool = False) -> RootRow:
    states = {FileState.READY: ready, FileState.SCANNED: scanned, FileState.SKIPPED: skipped}
    return RootRow(1 + len(path), Path(path), offline, states, 60.0, 1_000)


@pytest.mark.parametrize(
    ("row", "controller", "note"),
    [
        (root("/a", ready=5), Resting(), ""),
        (root("/a", ready=5, skipped=2), Resting(), "2 skipped"),
        (root("/a", scanned=3), Resting(), "3 not indexed yet"),
        (root("/a", offline=True, scanned=3), Resting(), "Offline"),
        (root("/a", scanned=3), Resting(scanning=(Path("/a"),)), "Scanning"),
    ],
)
def test_that_a_folder_says_what_is_going_on_in_it(qapp, row, controller, note):
    folders = sidebar_nodes(LibraryContent(roots=(row,)), controller)[0].children
    assert folders[2].note == note


def test_that_folders_of_the_same_name_are_told_apart(qapp):
    content = LibraryContent(roots=(root("/disk/a/SFX"), root("/disk/bb/SFX"), root("/disk/Field")))
    shown = [line.title for line in sidebar_nodes(content, Resting())[0].children[2:]]
    assert shown == ["a/SFX", "bb/SFX", "Field"]


def test_that_reading_counts_what_there_is(small_library):
    content = read_content(small_library)
    assert (content.files, content.skipped, content.waiting, content.is_empty) == (8, 0, 0, False)


def test_that_an_empty_library_is_empty(empty_library):
    assert read_content(empty_library).is_empty


def test_that_open_sections_are_remembered(panel, settings):
    index = panel.model.find(NodeKind.SECTION, "ucs")
    panel.tree.expand(index)
    assert "ucs" in settings.layout.expanded
    panel.tree.collapse(index)
    assert "ucs" not in settings.layout.expanded


def test_that_every_control_has_a_name_for_screen_readers(panel):
    assert panel.tree.accessibleName()
    assert panel.add_button.accessibleName()
    assert panel.new_button.accessibleName()
    folder = panel.model.index(2, 0, panel.model.find(NodeKind.SECTION, "folders"))
    assert folder.data(Qt.ItemDataRole.AccessibleTextRole) == "sounds, 8"
