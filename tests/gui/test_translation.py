from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication

from app.main import TRANSLATIONS, install_translations
from app.panels.trouble import BugDialog


@pytest.fixture
def german(qapp):
    installed = install_translations(qapp, "de")
    yield installed
    for translator in installed:
        qapp.removeTranslator(translator)


def test_that_the_window_speaks_german_where_it_is_translated(german, qtbot):
    assert german
    dialog = BugDialog("trace")
    qtbot.addWidget(dialog)
    assert dialog.windowTitle() == "Etwas ist schiefgegangen"
    assert QCoreApplication.translate("WelcomePage", "Add a folder") == "Ordner hinzufügen"


def test_that_what_is_not_translated_stays_english(german):
    assert QCoreApplication.translate("WelcomePage", "Not in the catalogue") == "Not in the catalogue"


def test_that_every_source_has_its_compiled_form():
    sources = {path.stem for path in TRANSLATIONS.glob("*.ts")}
    assert sources == {path.stem for path in TRANSLATIONS.glob("*.qm")}
    assert "earshot_de" in sources
