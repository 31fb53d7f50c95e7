"""What is played follows the results, and begins at the sound that was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.models.row import ResultRow
from app.panels.audition import Audition
from app.settings import Settings
from core.audio.playback import PlayState
from core.library import Focus
from core.types import Span

ROW = ResultRow(7, Path("/sounds/street.wav"), Span(20.0, 30.0), 0.9, "street", 60.0)
FOCUS = Focus(Span(21.0, 31.0), 25.5, 26.0)


@dataclass
class SpyPlayer:
    """Remembers what it is told."""

    path: Path | None = None
    opened: list[tuple[Span | None, bool, tuple[Span, ...]]] = field(default_factory=list)
    lit: list[tuple[Span, ...]] = field(default_factory=list)
    controller: Any = field(default_factory=lambda: SimpleNamespace(state=PlayState.STOPPED))

    @property
    def view(self) -> Any:
        return SimpleNamespace(set_moments=self.lit.append)

    def open(self, path: Path, span: Span | None, *, play: bool, moments: tuple[Span, ...] = (), **_: object) -> None:
        self.path = path
        self.opened.append((span, play, moments))

    def prepare(self, sounds: object) -> None:
        pass


class NoResults:
    """A list with nothing beside the current row."""

    board = SimpleNamespace(
        list=SimpleNamespace(currentIndex=lambda: SimpleNamespace(row=lambda: 0)),
        model=SimpleNamespace(rowCount=lambda: 0),
    )

    def current_hit(self) -> None:
        return None

    def isAncestorOf(self, widget: object) -> bool:  # noqa: N802 - Qt's name
        return False


@pytest.fixture
def player() -> SpyPlayer:
    return SpyPlayer()


@pytest.fixture
def audition(player: SpyPlayer) -> Audition:
    return Audition(results=NoResults(), player=player, settings=Settings())


def test_that_playing_begins_at_the_sound_once_its_place_is_known(audition: Audition, player: SpyPlayer) -> None:
    audition.go_to(ROW)
    assert player.opened == [(ROW.span, False, ())]
    audition.sharpen(ROW.file_id, FOCUS)
    assert player.opened[1:] == [(Span(25.5, 31.0), False, (FOCUS.span,))]
    audition.play(ROW)
    assert player.opened[2:] == [(Span(25.5, 31.0), True, (FOCUS.span,))]


def test_that_what_plays_already_goes_on_and_only_its_light_moves(audition: Audition, player: SpyPlayer) -> None:
    audition.go_to(ROW)
    player.controller.state = PlayState.PLAYING
    audition.sharpen(ROW.file_id, FOCUS)
    assert len(player.opened) == 1
    assert player.lit == [(FOCUS.span,)]


def test_that_a_place_in_another_sound_changes_nothing(audition: Audition, player: SpyPlayer) -> None:
    audition.go_to(ROW)
    audition.sharpen(8, FOCUS)
    player.path = Path("/sounds/other.wav")
    audition.sharpen(ROW.file_id, FOCUS)
    player.path = ROW.path
    audition.sharpen(ROW.file_id, FOCUS)
    audition.go_to(ROW)
    assert player.opened[-1] == (ROW.span, False, ()), "another question has another place"
    audition.go_to(None)
    audition.sharpen(ROW.file_id, FOCUS)
    assert len(player.opened) == 3
