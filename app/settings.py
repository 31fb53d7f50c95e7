"""What the user prefers, typed, bounded and kept in one JSON file in the platform's config folder.

A section is changed by assignment, which checks the value, and kept by `Settings.save`::

    settings.audio.auto_audition = False
    settings.save()
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError
from PySide6.QtCore import QCoreApplication

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate

SETTINGS_FILE = "settings.json"
_log = logging.getLogger(__name__)


def _writable(value: object) -> object:
    """Names of files may hold bytes that are no text; JSON cannot keep them, so they are spelled out."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


Name = Annotated[str, BeforeValidator(_writable), Field(max_length=4_096)]


def default_settings_file() -> Path:
    """Where the settings lie."""
    return Path(platformdirs.user_config_dir("earshot", appauthor=False)) / SETTINGS_FILE


def default_cache_folder() -> Path:
    """Where rendered regions and other things lie that can be made again."""
    return Path(platformdirs.user_cache_dir("earshot", appauthor=False))


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class Look(Section):
    """How the window looks."""

    theme: Literal["dark", "light", "system"] = "dark"
    reduced_motion: bool = False
    language: Annotated[str, Field(pattern=r"^([a-z]{2,3}(_[A-Z]{2})?)?$")] = ""
    row_captions: bool = True


class Layout(Section):
    """Where everything was when the window was closed.

    Attributes:
        geometry: The main window's, as Qt saves it, in base64.
        is_maximised: Whether it filled the screen.
        splitters: Sizes in pixels by the splitter's object name.
        headers: States of table headers as Qt saves them, in base64, by object name.
        expanded: Which sections of the library sidebar are open.
        view: Which of the results' views was shown.
        choices: Small choices of panels by name, such as whether the player shows the spectrogram.
    """

    geometry: Annotated[str, Field(max_length=4_000)] = ""
    is_maximised: bool = False
    splitters: dict[Name, list[int]] = {}
    headers: dict[Name, str] = {}
    expanded: list[Name] = ["folders", "collections"]
    view: Literal["list", "captions"] = "list"
    choices: dict[Name, str | int | float | bool] = {}


class Audio(Section):
    """How sounds are played."""

    output_device: Name | None = None
    output_channels: Annotated[list[Annotated[int, Field(ge=1, le=256)]], Field(max_length=2)] = []
    input_device: Name | None = None
    auto_audition: bool = True
    from_moment: bool = True
    loop: bool = False
    skip_silence: bool = False
    gain_db: Annotated[float, Field(ge=-60, le=24)] = 0.0
    speed: Annotated[float, Field(ge=0.25, le=4)] = 1.0
    reverse: bool = False


class Export(Section):
    """How sounds are handed over.

    Attributes:
        folder: Where exports went last.
        sample_rate_hz: None keeps each file's own.
        pattern: File names; see `core.audio.render`.
        handle_s: Seconds kept before and after a region that is dragged out.
    """

    folder: Name = ""
    encoding: Literal["wav-16", "wav-24", "wav-32f", "flac"] = "wav-24"
    sample_rate_hz: Annotated[int, Field(ge=8_000, le=384_000)] | None = None
    pattern: Name = "{name}"
    handle_s: Annotated[float, Field(ge=0, le=30)] = 0.0


class Captions(Section):
    """How captions are made."""

    enabled: bool = True


class Caches(Section):
    """What may be kept that can be made again, and where.

    Attributes:
        folder: The cache's folder; the platform's if empty.
        regions_mib: The most that rendered regions may take.
        region_days: How long a rendered region is kept at least, since a project may refer to it.
        decoded_mib: Memory for decoded sounds, for quick playback.
    """

    folder: Name = ""
    regions_mib: Annotated[int, Field(ge=50, le=100_000)] = 2_000
    region_days: Annotated[int, Field(ge=1, le=365)] = 14
    decoded_mib: Annotated[int, Field(ge=32, le=8_192)] = 256

    def place(self) -> Path:
        """The cache's folder."""
        return Path(self.folder) if self.folder else default_cache_folder()


class Indexing(Section):
    """How sounds are indexed.

    Attributes:
        jobs: Worker threads; None: one per core.
        watch: Look at changes in the folders as they happen.
        index_at_start: Look at all folders when the window opens.
    """

    jobs: Annotated[int, Field(ge=1, le=256)] | None = None
    watch: bool = True
    index_at_start: bool = True


class Settings(Section):
    """Everything that is remembered from one start to the next, beside the library itself.

    Attributes:
        library: The library's folder; the platform's if empty.
        model: Id of the model to search with; the bundled one if empty.
        device: Where sounds are embedded.
        check_online: Whether the program may ask the network for anything. Nothing does at present.
        shortcuts: Keys by action, where they differ from the defaults; see `app.shortcut`.
    """

    library: Name = ""
    model: Name = ""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    check_online: Literal[False] = False
    look: Look = Look()
    layout: Layout = Layout()
    audio: Audio = Audio()
    export: Export = Export()
    captions: Captions = Captions()
    caches: Caches = Caches()
    indexing: Indexing = Indexing()
    shortcuts: dict[Name, list[Name]] = {}

    _file: Path | None = PrivateAttr(default=None)

    @classmethod
    def load(cls, file: Path | None = None) -> tuple[Self, str]:
        """Read the settings; a file that cannot be understood is put aside and the defaults are used.

        Args:
            file: Where they lie; the platform's place if None. `save` writes there.

        Returns:
            The settings, and a sentence for the user, empty when all is well.
        """
        file = file or default_settings_file()
        settings, notice = cls(), ""
        try:
            settings = cls.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            pass
        except OSError as error:
            text = translate("Settings", "The settings cannot be read ({reason}); the defaults are used.")
            notice = text.format(reason=error.strerror or error)
        except ValidationError as error:
            _log.info("settings in %s refused: %s", file, error)
            aside = file.with_suffix(".damaged.json")
            with contextlib.suppress(OSError):
                os.replace(file, aside)  # noqa: PTH105 - Path.replace hides that it overwrites
            text = translate(
                "Settings", "The settings were damaged; the defaults are used. The old file was kept as {name}."
            )
            notice = text.format(name=aside.name)
        settings._file = file
        return settings, notice

    def save(self) -> str:
        """Write the settings as a whole or not at all; settings made without `load` are only kept in memory.

        Returns:
            A sentence for the user, empty when all is well.
        """
        if self._file is None:
            return ""
        content = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=True) + "\n"
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=self._file.parent, prefix=".settings-")
            try:
                with os.fdopen(number, "w", encoding="utf-8") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(name, self._file)  # noqa: PTH105
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            text = translate("Settings", "The settings cannot be saved to {folder}: {reason}.")
            return text.format(folder=self._file.parent, reason=error.strerror or error)
        return ""
