"""Takes the pictures of the user guide: the real window on the bundled sample sounds, dark and light.

    python packaging/pictures.py PLACE

PLACE is a folder to work in, made by this and emptied before. Its name is seen in the pictures, so choose one that says
nothing of the machine, such as /srv/studio. The pictures go to docs/pictures.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PICTURES = REPOSITORY / "docs" / "pictures"
SAMPLES = REPOSITORY / "resources" / "samples"
COLOURS = 160
_PATIENCE_S = 300.0


class Photographer:
    """Drives a window from outside its event loop and keeps what it looks like.

    Args:
        place: Where the library, the settings and the sounds lie.
        library: Name of the library's folder in it.
        look: "dark" or "light".
        size: Of the window, in the pixels of the interface.
    """

    def __init__(self, place: Path, library: str, look: str, size: tuple[int, int]) -> None:
        from app.__main__ import Options
        from app.main import Program
        from app.settings import Settings

        self.place, self.look = place, look
        kept = place / f"settings-{library}.json"
        settings, _ = Settings.load(kept)
        settings.look.theme = "light" if look == "light" else "dark"
        settings.layout.view, settings.layout.geometry, settings.layout.splitters = "list", "", {}
        settings.export.folder = str(place / "Exports")
        settings.layout.expanded = ["folders", "collections", "saved", "ucs"]
        settings.save()
        self.program = Program(Options(library=place / library, device="cpu", settings=kept, log_folder=place / "logs"))
        self.window: Any = self.program.window
        self.window.resize(*size)
        self.window.show()
        self.until(lambda: self.window.desk is not None)
        self.until_calm()

    @property
    def desk(self) -> Any:
        """All panels."""
        return self.window.desk

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the window work until something is so."""
        end = time.monotonic() + _PATIENCE_S
        while not condition():
            self.program.application.processEvents()
            time.sleep(0.002)
            if time.monotonic() > end:
                raise TimeoutError("the window did not get there")

    def until_calm(self, seconds: float = 0.5) -> None:
        """Let the window finish what it does, and stay at rest for a while."""
        since = time.monotonic()

        def is_calm() -> bool:
            nonlocal since
            if self.window._runner.is_busy:
                since = time.monotonic()
            return time.monotonic() - since > seconds

        self.until(is_calm)

    def ask(self, words: str) -> None:
        """Type a question and wait for what is found by sound."""
        self.until(lambda: self.desk.model.state == "ready")
        answers: list[Any] = []
        self.desk.search.answered.connect(answers.append)
        self.desk.search_panel.clear()
        self.desk.search_panel.bar.line.setFocus()
        self.desk.search_panel.bar.line.setText(words)
        self.until(lambda: any(one.spec.text == words and not one.is_names_only for one in answers))
        self.until_calm()

    def choose(self, row: int) -> None:
        """Stand at a row, without hearing it."""
        self.desk.results.board.list.select_rows([row], current=row)
        self.until_calm()

    def shoot(self, name: str, *over: Any, of: Any = None) -> None:
        """Keep a picture of the window, or of another one, with what is open above it."""
        from PySide6.QtCore import QBuffer, QIODevice, QPoint
        from PySide6.QtGui import QPainter

        self.until_calm(0.3)
        below = of or self.window
        picture = below.grab()
        painter = QPainter(picture)
        for widget in over:
            corner = below.mapFromGlobal(widget.mapToGlobal(QPoint(0, 0)))
            painter.drawPixmap(corner, widget.grab())
        painter.end()
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        picture.save(buffer, "PNG")
        keep(bytes(buffer.data().data()), PICTURES / f"{name}-{self.look}.png")

    def close(self) -> None:
        """Close the window, as a user does."""
        self.window.close()
        self.program._hooks.remove()


def keep(png: bytes, target: Path) -> None:
    """Write a picture with as few colours as the eye misses none of."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        # No dithering: it costs more bytes than the colours, and text gets dirty.
        few = picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        target.parent.mkdir(parents=True, exist_ok=True)
        few.save(target, optimize=True)


def beginning(place: Path, look: str) -> None:
    """An empty library, a folder over it, indexing, and the list of what is done."""
    from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
    from PySide6.QtGui import QDragEnterEvent
    from PySide6.QtWidgets import QApplication

    shutil.rmtree(place / "first", ignore_errors=True)
    eye = Photographer(place, "first", look, (1280, 720))
    eye.shoot("welcome")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(place / "Sounds"))])
    event = QDragEnterEvent(
        QPoint(600, 300),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(eye.window, event)
    eye.shoot("drop")
    eye.window.overlay.hide()
    controller = eye.desk.controller
    eye.desk.add_folders([place / "Sounds"])
    eye.until(lambda: controller.phase == "indexing" and controller.progress and controller.progress.done > 15)
    end = time.monotonic() + 1.5
    eye.until(lambda: time.monotonic() > end)
    keep_grab(eye, "indexing")
    eye.desk.show_indexing()
    end = time.monotonic() + 0.5
    eye.until(lambda: time.monotonic() > end)
    keep_grab(eye, "indexing-stages", of=eye.desk.indexing)
    eye.desk.indexing.close()
    eye.close()


def keep_grab(eye: Photographer, name: str, *, of: Any = None) -> None:
    """A picture of what is going on, without waiting for it to end."""
    calm, eye.until_calm = eye.until_calm, lambda seconds=0.0: None  # type: ignore[method-assign]
    eye.shoot(name, of=of)
    eye.until_calm = calm  # type: ignore[method-assign]


def furnish(place: Path) -> None:
    """Index and caption the sounds, and put in what a person would: a collection, favourites, tags, a saved search."""
    from core.library import Library
    from core.search.query import QuerySpec

    with Library.open(place / "library", device="cpu") as library:
        for _ in library.index([place / "Sounds"]):
            pass
        if library.captioner_card() is not None:
            for _ in library.caption():
                pass
        names = {row.name: file_id for file_id, row in library.rows(library.list_files()).items()}

        def holding(*words: str) -> list[int]:
            return [file_id for name, file_id in names.items() if any(word in name for word in words)]

        library.add_to_collection(library.create_collection("Castle scene"), holding("Bell", "Owl", "Door", "Rain"))
        library.add_to_collection(library.create_collection("City at night"), holding("Siren", "Horn", "Street"))
        library.set_favourite(holding("Owl Two", "Deep Woof", "Window Shatters"), True)
        library.set_rating(holding("Owl", "Rain"), 4)
        library.add_tag(holding("Rain", "Thunder", "Wind"), "outdoors")
        library.save_search("Rain without thunder", QuerySpec(text="heavy rain -thunder").to_json())
        library.save_search("Short hits", QuerySpec(where=("duration:<2",)).to_json())


def answering(place: Path, look: str) -> None:
    """Asking and answering."""
    from PySide6.QtCore import QPoint

    from core.types import Span

    eye = Photographer(place, "library", look, (1280, 720))
    desk, results = eye.desk, eye.desk.results
    eye.ask("an owl hoots at night")
    eye.choose(0)
    eye.shoot("answer")
    menu = results.menu()
    menu.popup(eye.window.mapToGlobal(QPoint(520, 200)))
    eye.shoot("menu", menu)
    menu.close()
    columns = results.board.list.column_menu()
    columns.popup(results.head.columns_button.mapToGlobal(QPoint(-90, 30)))
    eye.shoot("columns", columns)
    columns.close()
    results.set_view("captions")
    eye.shoot("captions")
    results.set_view("list")
    eye.ask("a steam locomotive whistles in a tunnel")
    eye.shoot("no-match")
    eye.ask("rain on a roof")
    scene = next(path for path in sorted((place / "Sounds").rglob("*")) if "Thunderstorm" in path.name)
    desk.search_panel.add_clip(scene, Span(3.0, 7.0), 0.3)
    desk.search_panel.add_negative("thunder")
    eye.until_calm()
    chip = desk.search_panel.bar.chips[0]
    chip.show_weight()
    eye.shoot("chips", chip._popup)
    chip.hide_weight()
    eye.ask("a bell rings")
    asked = dataclasses.replace(desk.search_panel.spec(), where=("format:wav|ogg", "duration:1..20"))
    desk.search_panel.set_spec(asked)
    desk.search_panel.toggle_filters()
    eye.until_calm()
    eye.shoot("filters", desk.search_panel._popover)
    desk.search_panel.toggle_filters()
    eye.close()


def looking_closer(place: Path, look: str) -> None:
    """The inspector and the sidebar, whole."""
    eye = Photographer(place, "library", look, (1280, 1400))
    desk = eye.desk
    eye.ask("dog barking")
    eye.choose(0)
    desk.columns.setSizes([220, 720, 340])
    eye.shoot("inspector", of=desk.inspector)
    tree = desk.library_panel.tree
    tree.expand(desk.library_panel.model.find("folder", "1"))
    eye.shoot("sidebar", of=desk.library_panel)
    eye.close()


def hearing(place: Path, look: str) -> None:
    """The player, with a region in its two views."""
    from core.types import Span

    eye = Photographer(place, "library", look, (1280, 720))
    desk = eye.desk
    eye.ask("an owl hoots at night")
    rows = [row.name for row in desk.results.board.results(range(len(desk.results.all_ids())))]
    eye.choose(next((number for number, name in enumerate(rows) if "Scene" in name), 0))
    desk.rows.setSizes([400, 260])
    eye.until(lambda: desk.player.axis.duration_s > 0)
    desk.player.view.set_region(Span(13.0, 17.5))
    eye.shoot("player", of=desk.player)
    desk.player.controls.spectrogram_button.click()
    eye.until_calm()
    eye.shoot("spectrogram", of=desk.player)
    desk.player.controls.spectrogram_button.click()
    eye.close()


def around(place: Path, look: str) -> None:
    """The windows beside the main one."""
    from app.panels.export import ExportDialog
    from app.panels.trouble import KnownErrorDialog
    from core.errors import KnownError

    eye = Photographer(place, "library", look, (1280, 720))
    desk = eye.desk
    eye.ask("an owl hoots at night")
    eye.choose(0)
    desk.commands.export_selected()
    eye.until_calm()
    (export,) = desk.findChildren(ExportDialog)
    eye.shoot("export", of=export)
    export.close()
    for page in ("search", "indexing", "listening", "look", "shortcuts", "privacy"):
        eye.window.beside.show_preferences(page)
        eye.shoot(f"preferences-{page}", of=eye.window.beside.find("preferences"))
    eye.window.beside.find("preferences").close()
    eye.window.beside.show_shortcuts()
    eye.shoot("shortcuts", of=eye.window.beside.find("shortcuts"))
    eye.window.beside.find("shortcuts").close()
    error = KnownError("The folder /media/field cannot be read.", "Connect the disk, or take the folder out.")
    trouble = KnownErrorDialog(error, eye.window)
    trouble.show()
    eye.shoot("trouble", of=trouble)
    trouble.close()
    eye.close()


def recording(place: Path, look: str) -> None:
    """The microphone, with a stream that hears a tone: what a machine without one shows is no help to anybody."""
    import numpy as np
    from PySide6.QtCore import Qt

    from app.panels.record import RecordDialog
    from core.audio.device import Ended, Take

    eye = Photographer(place, "library", look, (1280, 720))
    heard: list[Take] = []

    class Microphone:
        device: str = "a microphone"
        sample_rate_hz: int = 48_000
        channels: int = 1
        latency_s: float = 0.0

        def close(self) -> None:
            heard.clear()

    def open_microphone(device: str, take: Take, ended: Ended) -> Microphone:
        heard.append(take)
        return Microphone()

    dialog = RecordDialog(
        runner=eye.window._runner, settings=eye.program.settings, errors=eye.program.errors, open_stream=open_microphone
    )
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    dialog.start()
    eye.until_calm()
    tone = 0.25 * np.sin(np.arange(4_800, dtype=np.float32)[:, None] / 12)
    for _ in range(24):
        heard[0](tone.astype(np.float32))
        eye.program.application.processEvents()
    end = time.monotonic() + 0.2
    eye.until(lambda: time.monotonic() > end)
    keep_grab(eye, "record", of=dialog)
    dialog.reject()
    eye.close()


def one_answer(place: Path, look: str, size: tuple[int, int], name: str) -> None:
    """The answer on another screen."""
    eye = Photographer(place, "library", look, size)
    eye.ask("an owl hoots at night")
    eye.choose(0)
    eye.shoot(name)
    eye.close()


SCENES: dict[str, Callable[[Path, str], None]] = {
    "beginning": beginning,
    "answering": answering,
    "closer": looking_closer,
    "hearing": hearing,
    "around": around,
    "recording": recording,
    "4k": lambda place, look: one_answer(place, look, (3840, 2160), "answer-4k"),
    "scaled": lambda place, look: one_answer(place, look, (1280, 720), "answer-scaled"),
}
# Scenes, looks and scale of the interface.
ROUND = (
    *((scene, look, 1) for look in ("dark", "light") for scene in list(SCENES)[:6]),
    ("4k", "dark", 1),
    ("scaled", "light", 2),
)


def in_child(arguments: Iterable[str], place: Path, scale: int = 1) -> None:
    """Take some pictures in a process of its own, which knows nothing of the person who runs this."""
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "QT_SCALE_FACTOR": str(scale),
        "PYTHONPATH": str(REPOSITORY),
        **{f"XDG_{name}_HOME": str(place / "home") for name in ("CONFIG", "DATA", "CACHE", "STATE")},
    }
    subprocess.run([sys.executable, __file__, str(place), *arguments], check=True, env=environment, cwd=REPOSITORY)


def main() -> None:
    """Take all pictures, or those of one scene."""
    parser = argparse.ArgumentParser(description="Take the pictures of the user guide.")
    parser.add_argument("place", type=Path, help="folder to work in; it is emptied")
    parser.add_argument("--scene", choices=(*SCENES, "furnish"))
    parser.add_argument("--look", choices=("dark", "light"), default="dark")
    given = parser.parse_args()
    if given.scene == "furnish":
        furnish(given.place)
    elif given.scene:
        SCENES[given.scene](given.place, given.look)
    else:
        shutil.rmtree(given.place, ignore_errors=True)
        shutil.copytree(SAMPLES, given.place / "Sounds", ignore=shutil.ignore_patterns("*.txt", "*.json"))
        # Something that is no sound, for the list of what was left out.
        (given.place / "Sounds" / "scenes" / "unfinished take.wav").write_bytes(b"RIFF\0\0\0\0WAVEnothing")
        in_child(["--scene", "furnish"], given.place)
        for scene, look, scale in ROUND:
            in_child(["--scene", scene, "--look", look], given.place, scale)


if __name__ == "__main__":
    main()
