"""What is said above an answer, or in its place: how much was found, how well it matches, and what to try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.phrase import sounds
from app.search import SearchAnswer
from app.widgets.banner import Banner, Offer
from core.search.result import Hit

if TYPE_CHECKING:
    from app.panels.results import ResultsPanel

_LONGEST_NAMED = 40


@dataclass(frozen=True, slots=True)
class PageWords:
    """What a page without rows says, and the buttons on it."""

    title: str
    text: str
    offers: tuple[Offer, ...] = ()


class AnswerWords(QObject):
    """Finds the words.

    Args:
        panel: Its signals are what the offered buttons do.
        banner: Stands above the rows.
    """

    def __init__(self, panel: ResultsPanel, banner: Banner) -> None:
        super().__init__(panel)
        self._panel, self._banner = panel, banner

    def say(self, answer: SearchAnswer) -> tuple[Sequence[Hit], bool, str]:
        """Say on the banner what is to be said; returns the hits to list, whether they are weak, and the title."""
        hits, is_weak = answer.result.hits, False
        if answer.show_all:
            title = self.tr("{sounds}, weak matches too").format(sounds=sounds(len(hits)))
            less = Offer(self.tr("Hide weak matches"), lambda: self._panel.show_all_requested.emit(False))
            self._banner.say(
                self.tr("The best come first; far down nothing resembles what you asked for."), offers=[less]
            )
        elif answer.result.nothing_matches:
            hits, is_weak, title = answer.result.closest, True, self.tr("Closest, but weak")
            self._banner.say(
                self.tr("Nothing here matches well."),
                self.tr("Below stand the closest sounds; they are weak."),
                offers=self._suggestions(answer, tail=True),
                icon="search",
            )
        else:
            match = self.tr("{sounds} matches") if len(hits) == 1 else self.tr("{sounds} match")
            title = match.format(sounds=sounds(len(hits)))
            self._banner.hide()
        return hits, is_weak, title

    def of_nothing(self, answer: SearchAnswer) -> PageWords:
        """What to say where not even something weak can be listed."""
        if answer.listed is None and not answer.result.considered and not _has_conditions(answer):
            return PageWords(
                self.tr("Nothing to search yet"),
                self.tr("Sounds appear here as soon as a folder is scanned."),
                (Offer(self.tr("Add a folder"), self._panel.add_folder_requested.emit),),
            )
        offers = self._suggestions(answer, tail=False)
        text = self.tr("Widen the search:") if offers else self.tr("Take back some of the words or conditions.")
        return PageWords(self.tr("No sound meets all of this"), text, tuple(offers))

    def _suggestions(self, answer: SearchAnswer, *, tail: bool) -> list[Offer]:
        spec, offers = answer.spec, []
        if spec.negatives:
            label = self.tr("Drop what is not wanted") if len(spec.negatives) > 1 else self.tr("Drop “not: {text}”")
            text = shorten(spec.negatives[0].text, _LONGEST_NAMED, placeholder="…")
            offers.append(Offer(label.format(text=text), self._panel.negatives_dropped.emit))
        if spec.where:
            offers.append(Offer(self.tr("Clear the filters"), self._panel.filters_dropped.emit))
        if answer.within is not None:
            offers.append(Offer(self.tr("Search everywhere"), lambda: self._panel.within_requested.emit([])))
        if tail:
            offers.append(Offer(self.tr("Show weak matches anyway"), lambda: self._panel.show_all_requested.emit(True)))
        return offers


def _has_conditions(answer: SearchAnswer) -> bool:
    """Whether anything of the question keeps files out, whatever they sound like."""
    query = answer.spec.build()
    return answer.within is not None or bool(query.conditions) or query.lexical.demands
