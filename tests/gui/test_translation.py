"""Other languages: every text can be translated, and a catalogue in the folder is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QCoreApplication

from app.models.roles import Column
from app.panels.trouble import BugDialog
from app.panels.welcome import WelcomePage
from app.shortcut import actions
from app.translation import install_translations, languages

APP = Path(sys.modules["app"].__path__[0])
TOOLS = Path(sys.executable).parent
# What puts its arguments before the user's eyes or ears.
SHOWS_TEXT = frozenset(
    "setText setToolTip setAccessibleName setAccessibleDescription setWindowTitle setPlaceholderText setSuffix "
    "setSpecialValueText setInformativeText setTitle setHeaderLabels addAction addMenu addSection addRow addTab "
    "addItem notice say show_text set_text set_message QPushButton QCheckBox QLabel QGroupBox PlainLabel KnownError "
    "Offer PageWords note switch choice number".split()
)
NO_LANGUAGE = frozenset({"Earshot", "English", "en", "MiB"})
GERMAN = {
    ("BugDialog", "Something went wrong"): "Etwas ist schiefgegangen",
    ("Shortcut", "Play or pause"): "Abspielen oder anhalten",
}


def extracted(target: Path) -> dict[str, set[str]]:
    """The texts that lupdate finds, by context."""
    sources = [str(path) for path in APP.rglob("*.py")]
    command = [str(TOOLS / "pyside6-lupdate"), *sources, "-ts", str(target), "-locations", "none"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    found: dict[str, set[str]] = {}
    for context in ElementTree.parse(target).getroot().iter("context"):
        texts = {message.findtext("source") or "" for message in context.iter("message")}
        found.setdefault(context.findtext("name") or "", set()).update(texts)
    return found


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    return extracted(tmp_path_factory.mktemp("texts") / "earshot_de.ts")


@pytest.fixture
def german(qapp, tmp_path):
    """A small catalogue, made as the README says."""
    source = tmp_path / "earshot_de.ts"
    contexts = "".join(
        f"<context><name>{context}</name><message><source>{text}</source><translation>{there}</translation></message>"
        "</context>"
        for (context, text), there in GERMAN.items()
    )
    source.write_text(f'<?xml version="1.0"?><!DOCTYPE TS><TS version="2.1" language="de">{contexts}</TS>', "utf-8")
    command = [str(TOOLS / "pyside6-lrelease"), str(source), "-qm", str(tmp_path / "earshot_de.qm")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    installed = install_translations(qapp, "de", folder=tmp_path)
    yield tmp_path
    assert installed
    for translator in installed:
        qapp.removeTranslator(translator)


def test_that_a_catalogue_in_the_folder_is_offered_and_used(german, qtbot):
    assert languages(german) == ["de"]
    dialog = BugDialog("trace")
    qtbot.addWidget(dialog)
    assert dialog.windowTitle() == "Etwas ist schiefgegangen"
    assert next(action.label for action in actions() if action.id == "play.toggle") == "Abspielen oder anhalten"


def test_that_what_is_not_translated_stays_english(german):
    assert QCoreApplication.translate("WelcomePage", "Not in the catalogue") == "Not in the catalogue"


def test_that_without_a_catalogue_qts_own_texts_stay_english_too(qapp, tmp_path):
    assert install_translations(qapp, "fr", folder=tmp_path) == []


def test_that_every_shipped_catalogue_is_complete():
    for language in languages():
        source = ElementTree.parse(APP.parent / "resources" / "translations" / f"earshot_{language}.ts")
        unfinished = [one for one in source.getroot().iter("translation") if one.get("type") == "unfinished"]
        assert not unfinished, f"{language} is translated in part"


def test_that_every_action_heading_and_column_can_be_translated(texts, qapp):
    assert {action.label for action in actions()} <= texts["Shortcut"]
    assert {action.group for action in actions()} <= texts["Shortcut"]
    assert {column.title for column in Column} <= texts["Column"]


def test_that_texts_of_lists_and_chips_can_be_translated(texts):
    for context in ("Sidebar", "Phrase", "Chip", "ResultMenu", "ResultsModel", "CaptionDelegate"):
        assert texts.get(context), context


def literals(node: ast.AST) -> Iterator[str]:
    """Words that stand in an expression as they are; those that are handed to `tr` or `translate` do not."""
    if isinstance(node, (ast.Call, ast.FormattedValue)):
        return
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and re.search("[A-Za-z]{2}", node.value):
            yield node.value.strip()
        return
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def test_that_no_text_is_shown_as_it_stands_in_the_code():
    bare = []
    for path in sorted(APP.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call):
                name = getattr(call.func, "attr", getattr(call.func, "id", ""))
                shown = call.args if name in SHOWS_TEXT else call.args[2:] if name == "Node" else []
                bare += [f"{path.name}:{call.lineno} {text}" for one in shown for text in literals(one)]
    assert [one for one in bare if one.split(" ", 1)[1] not in NO_LANGUAGE] == []


def test_that_no_visible_text_of_a_panel_escapes_translation(texts, qtbot):
    page = WelcomePage(samples=APP)
    qtbot.addWidget(page)
    shown = {one.text() for one in page.findChildren(object) if hasattr(one, "text") and one.text()}
    assert shown
    assert shown <= set().union(*texts.values())
