"""The languages of the window. English is in the code; others are catalogues in the resources."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

from core.config import RESOURCES

TRANSLATIONS = RESOURCES / "translations"
_PREFIX = "earshot"


def languages(folder: Path = TRANSLATIONS) -> list[str]:
    """The codes of the languages there are beside English, such as "de"."""
    return sorted(path.stem.removeprefix(f"{_PREFIX}_") for path in folder.glob(f"{_PREFIX}_*.qm"))


def install_translations(
    application: QApplication, language: str = "", *, folder: Path = TRANSLATIONS
) -> list[QTranslator]:
    """Have the window speak a language, or the system's if none is named.

    Qt's own texts are translated only together with ours: a half-translated window is worse than an English one.
    """
    locale = QLocale(language) if language else QLocale.system()
    installed: list[QTranslator] = []
    for name, place in (
        (_PREFIX, str(folder)),
        ("qtbase", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)),
    ):
        translator = QTranslator(application)
        if not translator.load(locale, name, "_", place):
            break
        application.installTranslator(translator)
        installed.append(translator)
    return installed
