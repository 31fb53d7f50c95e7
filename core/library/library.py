"""The facade: everything a program on top of the core needs of one library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from core.catalogue.catalogue import Catalogue
from core.catalogue.models import FileState
from core.catalogue.statistic import LibraryStatistics, library_statistics
from core.config import default_library_folder, user_models_folder
from core.encoders.load import available_models, find_model
from core.jobs import CancelToken, Event
from core.library.asking import Asking
from core.library.browsing import Browsing
from core.library.captioner import installed_captioner_card
from core.library.captioning import Captioning
from core.library.check import Finding, check_library
from core.library.curating import Curating
from core.library.serving import Device

if TYPE_CHECKING:
    from core.captioning.guess import CaptionerCard
    from core.encoders.card import ModelCard


@dataclass(frozen=True, slots=True)
class Status:
    """What a library holds, and with which model it is searched."""

    folder: Path
    model_id: str
    statistics: LibraryStatistics

    @property
    def windows(self) -> int:
        """Embedded windows of the model in use."""
        return self.statistics.windows.get(self.model_id, 0)

    def as_dict(self) -> dict[str, Any]:
        """The status as the JSON object that `earshot status --json` prints."""
        statistics = self.statistics
        return {
            "library": str(self.folder),
            "model": self.model_id,
            "files": sum(statistics.files(state) for state in FileState),
            **{state.value: statistics.files(state) for state in FileState},
            "windows": self.windows,
            "captions": statistics.captions,
            "duration_s": round(statistics.duration_s, 3),
            "roots": [
                {
                    "path": str(root.path),
                    "offline": root.is_offline,
                    "size_bytes": root.size_bytes,
                    "duration_s": round(root.duration_s, 3),
                    **{state.value: root.files[state] for state in FileState},
                }
                for root in statistics.roots
                if not root.is_kept
            ],
        }


class Library(Browsing, Curating, Asking, Captioning):
    """A library: folders of sounds, what is known of them, and the means to search them.

    Made by `open`. What only reads, and the short writings of `Curating`, may be called from any thread at any time;
    jobs (`index`, `scan`, `embed`, `caption`, `reindex`) and `remove` are for one process at a time.
    """

    @classmethod
    def open(
        cls,
        folder: Path | None = None,
        *,
        model: str | None = None,
        device: Device = "auto",
        read_only: bool = False,
    ) -> Self:
        """Open a library, and create it where there is none.

        Args:
            folder: The library's own folder; the platform's data folder if None.
            model: Id or name of the model to use; the bundled one if None. Where the library was embedded by another
                that is still installed, or of which it has a copy, that one answers until `embed` has been through
                with this one.
            device: Where sounds are embedded.
            read_only: Never write; another process may be indexing.

        Raises:
            LibraryError: It cannot be opened; see `core.catalogue.catalogue.Catalogue.open`.
            ModelError: The model is not there or damaged.
        """
        folder = (folder or default_library_folder()).expanduser().absolute()
        wanted = find_model(model)
        catalogue = Catalogue.open(folder, read_only=read_only)
        try:
            return cls(catalogue, folder, wanted, device=device)
        except BaseException:
            catalogue.close()
            raise

    def status(self) -> Status:
        """Count what the library holds."""
        return Status(self._folder, self.card.id, library_statistics(self._catalogue))

    def verify(self) -> list[Finding]:
        """Check the database, the files and the index against each other; nothing is changed."""
        serving = self._serving
        return check_library(self._catalogue, serving.index, model_id=serving.card.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def installed_captioner() -> CaptionerCard | None:
    """Who describes sounds, or None where no captioning model is installed. Loads no weights."""
    return installed_captioner_card()


def import_model(folder: Path, *, name: str | None = None, cancel: CancelToken | None = None) -> Iterator[Event]:
    """A job: copy a trained model, or a CLAP checkpoint as transformers saves it, into the user's own models.

    `Library.open(model=...)` finds it there afterwards. The folder itself is not needed any more.

    Args:
        folder: Of the model.
        name: For a checkpoint, in the place of its folder's name.
        cancel: Stops the job; nothing is left behind.

    Raises:
        CancelledError: The token was set.
        ModelError: It is no model, it is damaged, or its name is taken.
    """
    from core.encoders.install import install_model

    yield from install_model(folder, name=name, cancel=cancel)


def remove_model(model_id: str) -> None:
    """Delete one of the user's own models from disk; libraries that it indexed are indexed by another then.

    Raises:
        ModelError: It is none of the user's.
    """
    from core.encoders.install import uninstall_model

    uninstall_model(model_id)


def models() -> tuple[ModelCard, ...]:
    """The cards of all models that can be used, the default first."""
    return tuple(model.card for model in available_models())


def own_models() -> frozenset[str]:
    """The ids of the user's own models, trained or imported, which `remove_model` can delete."""
    place = user_models_folder().resolve()
    return frozenset(model.card.id for model in available_models() if model.folder.resolve().parent == place)
