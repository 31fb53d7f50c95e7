"""The part of the facade that has files described in words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.catalogue.caption import CaptionRow, captions_of, edit_caption, pending_caption_ids, restore_caption
from core.catalogue.catalogue import Catalogue
from core.encoders.load import InstalledModel
from core.errors import LibraryError
from core.ingest.caption import caption_file, caption_files
from core.jobs import CancelToken, Event, PauseToken
from core.library.captioner import installed_captioner_card, load_installed_captioner
from core.library.indexing import Indexing, alone
from core.library.serving import Device
from core.types import IntArray

if TYPE_CHECKING:
    from core.captioning.guess import CaptionerCard, FileCaptioner


def _nothing_first() -> Sequence[int]:
    return ()


class Captioning(Indexing):
    """Captions: made in the background, searched as text, and changed by hand."""

    def __init__(self, catalogue: Catalogue, folder: Path, wanted: InstalledModel, *, device: Device) -> None:
        super().__init__(catalogue, folder, wanted, device=device)
        self._describing = threading.Lock()
        self._loading_captioner = threading.Lock()
        self._captioner: FileCaptioner | None = None

    def captioner_card(self) -> CaptionerCard | None:
        """Who describes sounds, or None where no captioning model is installed. Loads no weights."""
        with self._loading_captioner:
            if self._captioner is not None:
                return self._captioner.card
        return installed_captioner_card()

    def captions_pending(self, among: Sequence[int] | IntArray | None = None) -> IntArray:
        """Ids (m,) of files that are indexed and reachable and have neither a caption of this model nor of a person.

        Args:
            among: Ids of the only files that count; None: all.
        """
        card = self.captioner_card()
        return pending_caption_ids(self._catalogue, model_id=card.id if card else None, among=among)

    def edit_caption(self, file_id: int, text: str) -> CaptionRow:
        """Put a person's sentence in the place of the model's, which is kept as `CaptionRow.original`.

        Raises:
            LibraryError: The file is gone, or the sentence is empty or too long.
        """
        with self._catalogue.write() as session:
            edit_caption(session, file_id, text)
        return self._caption_of(file_id)

    def restore_caption(self, file_id: int) -> CaptionRow | None:
        """Take back what a person wrote; gives the model's sentence, or None where there is none."""
        with self._catalogue.write() as session:
            restore_caption(session, file_id)
        return captions_of(self._catalogue, [file_id]).get(file_id, (None,))[0]

    def caption(
        self,
        *,
        first: Callable[[], Sequence[int]] = _nothing_first,
        cancel: CancelToken | None = None,
        pause: PauseToken | None = None,
    ) -> Iterator[Event]:
        """A job: describe all files that wait for it, also those that are indexed meanwhile. Run again, it goes on.

        Args:
            first: Gives the ids of the rows on screen, which come before all others; asked before every file, from
                the thread that drives the job.
            cancel: Stops the job; what was finished is kept.
            pause: Holds the job.

        Raises:
            CancelledError: The token was set.
            LibraryBusyError: Another process, or another such job of this one, is writing.
            ModelError: There is no captioning model, or it is damaged.
        """
        with self._catalogue.writer(), alone(self._describing, "The sounds are being described already."):
            captioner = self._load_captioner()
            yield from caption_files(
                self._catalogue, captioner, first=first, cancel=cancel or CancelToken(), pause=pause
            )

    def regenerate_caption(self, file_id: int) -> CaptionRow:
        """Have a file described anew. A person's sentence stays; what the model wrote is then the original.

        Raises:
            UnusableFileError: The file is gone or cannot be read.
            ModelError: There is no captioning model, or it is damaged.
        """
        caption_file(self._catalogue, self._load_captioner(), file_id)
        return self._caption_of(file_id)

    def use_captioner(self, captioner: FileCaptioner | None) -> None:
        """Have sounds described by this model from now on; None: by the one that is installed."""
        with self._loading_captioner:
            self._captioner = captioner

    def _load_captioner(self) -> FileCaptioner:
        with self._loading_captioner:
            if self._captioner is None:
                self._captioner = load_installed_captioner(device=self._device)
            return self._captioner

    def _caption_of(self, file_id: int) -> CaptionRow:
        found = captions_of(self._catalogue, [file_id]).get(file_id)
        if found is None:
            raise LibraryError("The file is no longer in the library.", "Look for it again.")
        return found[0]
