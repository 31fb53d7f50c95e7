"""Sounds dragged out of the window and into it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_device import FakeOutput
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot
from sound import noise, write_sound

from app import drag
from app.drag import (
    ROWS_MIME,
    RegionMimeData,
    RegionRendering,
    classify_drop,
    examples_of,
    file_url,
    local_path,
    mime_for_rows,
    region_cache,
)
from app.errors import ErrorCentre
from app.jobs import JobRunner
from app.panels.player import PlayerPanel
from app.settings import Settings
from app.shortcut import ShortcutMap
from core.audio.cache import CacheFolder
from core.audio.render import render_region
from core.errors import KnownError
from core.types import Span


@dataclass(frozen=True)
class Row:
    path: Path
    span: Span | None = None


@pytest.fixture
def cache(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path / "regions", 1 << 20)


def region_mime(
    path: Path,
    span: Span,
    cache: CacheFolder,
    *,
    handles_s: float = 0.0,
    on_failed: Callable[[KnownError], object] = pytest.fail,
) -> RegionMimeData:
    rendering = RegionRendering(path, span, handles_s=handles_s, cache=cache)
    return RegionMimeData(rendering, cache=cache, on_failed=on_failed, on_unready=lambda: pytest.fail("not ready"))


def region_of(panel: PlayerPanel) -> RegionMimeData:
    """What a drag of the player's region carries."""
    assert panel.path is not None
    assert panel.region is not None
    return panel.regions.mime(panel.path, panel.region)


def files(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def test_that_rows_go_out_as_their_files(qtbot: QtBot, tmp_path: Path) -> None:
    rows = [Row(tmp_path / "gate creak #1 ä.wav", Span(1.0, 2.5)), Row(tmp_path / "b.flac")]
    data = mime_for_rows(rows)
    assert data.hasUrls()
    assert [Path(url.toLocalFile()) for url in data.urls()] == [row.path for row in rows]
    assert data.hasFormat("text/uri-list")


def test_that_our_own_rows_come_back_with_their_moments(qtbot: QtBot, tmp_path: Path) -> None:
    rows = [Row(tmp_path / "a.wav", Span(1.0, 2.5)), Row(tmp_path / "b.wav")]
    drop = classify_drop(mime_for_rows(rows))
    assert drop.kind == "rows"
    assert drop.paths == (tmp_path / "a.wav", tmp_path / "b.wav")
    assert drop.spans == (Span(1.0, 2.5), None)
    assert examples_of(mime_for_rows(rows)) == [(tmp_path / "a.wav", Span(1.0, 2.5)), (tmp_path / "b.wav", None)]


def test_that_a_region_becomes_a_file_only_when_it_is_asked_for(
    qtbot: QtBot, tmp_path: Path, cache: CacheFolder
) -> None:
    path = write_sound(tmp_path / "gate.wav", noise(3.0, channels=2), subtype="PCM_24")
    failures: list[KnownError] = []
    data = region_mime(path, Span(1.0, 1.5), cache, handles_s=0.25, on_failed=failures.append)
    assert data.hasUrls()
    assert data.hasFormat("text/uri-list")
    assert "text/uri-list" in data.formats()
    assert data.rendered is None
    assert not cache.folder.exists()
    (url,) = data.urls()
    made = Path(url.toLocalFile())
    assert url.isLocalFile()
    assert made.parent.parent == cache.folder
    heard, rate_hz = soundfile.read(made, dtype="int32")
    source, _ = soundfile.read(path, dtype="int32")
    assert rate_hz == 48_000
    np.testing.assert_array_equal(heard, source[36_000:84_000])
    assert [Path(again.toLocalFile()) for again in data.urls()] == [made]
    assert not failures


def test_that_a_region_that_was_handed_out_stays(qtbot: QtBot, tmp_path: Path, cache: CacheFolder) -> None:
    path = write_sound(tmp_path / "gate.wav", noise(1.0))
    data = region_mime(path, Span(0.0, 0.5), cache, handles_s=0.0, on_failed=pytest.fail)
    made = Path(data.urls()[0].toLocalFile())
    cache.limit_bytes = 0
    cache.trim()
    assert made.is_file()


def test_that_a_region_file_young_enough_for_a_project_is_spared(
    qtbot: QtBot, tmp_path: Path, settings: Settings
) -> None:
    settings.caches.folder = str(tmp_path / "cache")
    cache = region_cache(settings)
    path = write_sound(tmp_path / "gate.wav", noise(1.0))
    region_mime(path, Span(0.0, 0.5), cache, handles_s=0.0, on_failed=pytest.fail).urls()
    another_day = region_cache(settings)
    another_day.limit_bytes = 0
    assert another_day.trim() > 0
    another_day.spared_s = 1e-9
    assert another_day.trim() == 0


def test_that_a_region_that_cannot_be_rendered_is_a_message(qtbot: QtBot, tmp_path: Path, cache: CacheFolder) -> None:
    failures: list[KnownError] = []
    data = region_mime(tmp_path / "gone.wav", Span(0.0, 1.0), cache, handles_s=0.0, on_failed=failures.append)
    assert data.urls() == []
    assert data.urls() == []
    assert len(failures) == 1
    assert "no longer there" in failures[0].message


def test_that_our_own_window_knows_a_region_without_rendering_it(
    qtbot: QtBot, tmp_path: Path, cache: CacheFolder
) -> None:
    path = write_sound(tmp_path / "gate.wav", noise(3.0))
    data = region_mime(path, Span(1.0, 1.5), cache, handles_s=0.0, on_failed=pytest.fail)
    for _ in range(50):
        drop = classify_drop(data)
    assert (drop.kind, drop.paths, drop.spans) == ("rows", (path,), (Span(1.0, 1.5),))
    assert data.rendered is None


def test_that_folders_are_added_and_sounds_are_searched_by(qtbot: QtBot, tmp_path: Path) -> None:
    sound = write_sound(tmp_path / "a.wav", noise(0.1))
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("no sound")
    assert classify_drop(files(tmp_path / "folder", sound)) == drag.Drop("folders", (tmp_path / "folder",))
    assert classify_drop(files(sound)) == drag.Drop("clip", (sound,), (None,))
    assert classify_drop(files(tmp_path / "notes.txt")).kind is None
    assert classify_drop(QMimeData()).kind is None
    web = QMimeData()
    web.setUrls([QUrl("https://example.org/a.wav")])
    assert classify_drop(web).kind is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[["zz", null]]', b'[["61", [3, 1]]]', b"[" * 100_000])
def test_that_a_damaged_drag_is_nothing(qtbot: QtBot, content: bytes) -> None:
    data = QMimeData()
    data.setData(ROWS_MIME, content)
    assert classify_drop(data).kind is None


def test_that_files_are_copied_as_files_and_as_text(qtbot: QtBot, tmp_path: Path) -> None:
    drag.copy_files([tmp_path / "a.wav", tmp_path / "b.wav"])
    data = QGuiApplication.clipboard().mimeData()
    assert [Path(url.toLocalFile()).name for url in data.urls()] == ["a.wav", "b.wav"]
    assert data.text() == f"{tmp_path / 'a.wav'}\n{tmp_path / 'b.wav'}"


@pytest.mark.parametrize(
    ("platform", "arguments"), [("darwin", ["open", "-R", "{path}"]), ("win32", ["explorer", "/select,{path}"])]
)
def test_that_a_file_is_shown_selected_where_that_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, arguments: list[str]
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("app.drag.sys.platform", platform)
    path = tmp_path / "a b.wav"
    assert drag.reveal(path, start=started.append)
    assert started == [[part.format(path=path) for part in arguments]]


def test_that_elsewhere_its_folder_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr("app.drag.sys.platform", "linux")
    monkeypatch.setattr("app.drag.QDesktopServices.openUrl", lambda url: opened.append(url) or True)
    assert drag.reveal(tmp_path / "a.wav")
    assert [Path(url.toLocalFile()) for url in opened] == [tmp_path]


@pytest.fixture
def panel(
    qtbot: QtBot, runner: JobRunner, settings: Settings, errors: ErrorCentre, shortcuts: ShortcutMap, tmp_path: Path
) -> Iterator[PlayerPanel]:
    settings.caches.folder = str(tmp_path / "cache")
    panel = PlayerPanel(runner=runner, settings=settings, errors=errors, shortcuts=shortcuts, open_stream=FakeOutput())
    qtbot.addWidget(panel)
    yield panel
    panel.close_down()


def test_that_the_players_region_is_dragged_with_the_handles_of_the_settings(
    panel: PlayerPanel, settings: Settings, tmp_path: Path
) -> None:
    path = write_sound(tmp_path / "gate.wav", noise(3.0))
    settings.export.handle_s = 0.5
    panel.open(path, play=False)
    panel.view.choose(Span(1.0, 2.0))
    made = Path(region_of(panel).urls()[0].toLocalFile())
    assert soundfile.info(made).frames == 2 * 48_000
    assert made.is_relative_to(tmp_path / "cache" / "regions")


def test_that_a_long_region_is_written_while_it_is_dragged(
    qtbot: QtBot, panel: PlayerPanel, runner: JobRunner, until_idle: Callable[[], None], tmp_path: Path
) -> None:
    path = write_sound(tmp_path / "long.wav", noise(30.0))
    panel.open(path, play=False)
    panel.view.choose(Span(1.0, 26.0))
    data = region_of(panel)
    assert data.rendered is None
    until_idle()
    (made,) = list((tmp_path / "cache" / "regions").glob("*/*.wav"))
    assert local_path(data.urls()[0]) == made
    assert soundfile.info(made).frames == 25 * 48_000


def test_that_a_drop_that_comes_too_early_is_a_notice_and_the_next_one_works(
    qtbot: QtBot,
    panel: PlayerPanel,
    errors: ErrorCentre,
    until_idle: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_go_on = threading.Event()

    def slowly(*args: object, **options: object) -> Path:
        assert may_go_on.wait(10)
        return render_region(*args, **options)

    monkeypatch.setattr(drag, "render_region", slowly)
    monkeypatch.setattr(drag, "_PATIENCE_S", 0.0)
    panel.open(write_sound(tmp_path / "long.wav", noise(30.0)), play=False)
    panel.view.choose(Span(0.0, 25.0))
    early = region_of(panel)
    with qtbot.waitSignal(errors.noticed) as noticed:
        assert early.urls() == []
        assert early.urls() == []
    assert "still being written" in noticed.args[0]
    panel.regions.forget(was_asked=early.was_asked)
    may_go_on.set()
    until_idle()
    assert local_path(region_of(panel).urls()[0]).is_file()


def test_that_a_long_region_rendered_before_is_handed_over_at_once(
    panel: PlayerPanel, until_idle: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sound(tmp_path / "long.wav", noise(30.0))
    panel.open(path, play=False)
    panel.view.choose(Span(0.0, 25.0))
    first = region_of(panel)
    until_idle()
    made = local_path(first.urls()[0])
    panel.view.choose(Span(1.0, 2.0))
    region_of(panel)  # another region in between
    panel.view.choose(Span(0.0, 25.0))
    monkeypatch.setattr(drag, "render_region", lambda *_, **__: pytest.fail("rendered again"))
    monkeypatch.setattr(drag, "_PATIENCE_S", 0.0)
    assert local_path(region_of(panel).urls()[0]) == made


def test_that_a_long_region_that_was_cleaned_away_is_written_again(
    panel: PlayerPanel, until_idle: Callable[[], None], tmp_path: Path
) -> None:
    panel.open(write_sound(tmp_path / "long.wav", noise(30.0)), play=False)
    panel.view.choose(Span(0.0, 25.0))
    first = region_of(panel)
    until_idle()
    local_path(first.urls()[0]).unlink()
    again = region_of(panel)
    until_idle()
    assert local_path(again.urls()[0]).is_file()


def test_that_drops_of_an_unfinished_region_wait_once_and_not_each_time(
    panel: PlayerPanel, until_idle: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()
    waited: list[float] = []
    monkeypatch.setattr(drag, "render_region", lambda *_, **__: may_go_on.wait(10))
    monkeypatch.setattr(drag, "_PATIENCE_S", 0.05)
    panel.open(write_sound(tmp_path / "long.wav", noise(30.0)), play=False)
    panel.view.choose(Span(0.0, 25.0))
    for _ in range(2):
        data = region_of(panel)
        rendering = data._rendering
        wait = rendering._done.wait
        monkeypatch.setattr(
            rendering._done, "wait", lambda patience_s, wait=wait: (waited.append(patience_s), wait(0.05))
        )
        assert data.urls() == []
        monkeypatch.setattr(rendering._done, "wait", wait)
    assert waited[0] == 0.05
    assert waited[1] < 0.02
    may_go_on.set()
    until_idle()


def test_that_a_long_region_that_was_dropped_nowhere_is_not_written(
    qtbot: QtBot, panel: PlayerPanel, until_idle: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_given_up = threading.Event()

    def later(*args: object, **options: object) -> Path:
        assert is_given_up.wait(10)
        return render_region(*args, **options)

    monkeypatch.setattr(drag, "render_region", later)
    panel.open(write_sound(tmp_path / "long.wav", noise(30.0)), play=False)
    panel.view.choose(Span(0.0, 25.0))
    data = region_of(panel)
    panel.regions.forget(was_asked=data.was_asked)
    is_given_up.set()
    until_idle()
    assert not list((tmp_path / "cache" / "regions").glob("*/*"))


@pytest.mark.skipif(os.name != "posix", reason="other systems have names of text only")
def test_that_a_name_that_is_no_text_leaves_and_comes_back_as_it_is(qtbot: QtBot, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "plain.wav", noise(0.1)).rename(tmp_path / os.fsdecode(b"gate \xff #1 \xc3\xa4.wav"))
    data = mime_for_rows([Row(path)])
    assert b"gate%20%FF%20%231%20%C3%A4.wav" in bytes(data.data("text/uri-list").data())
    assert classify_drop(files()).kind is None
    foreign = QMimeData()
    foreign.setUrls(data.urls())
    assert classify_drop(foreign).paths == (path,)
    drag.copy_files([path])
    assert [local_path(url) for url in QGuiApplication.clipboard().mimeData().urls()] == [path]


def test_that_an_ordinary_name_is_qts_own_address(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "a % b ä.wav"
    assert file_url(path) == QUrl.fromLocalFile(str(path))
    assert local_path(file_url(path)) == path
