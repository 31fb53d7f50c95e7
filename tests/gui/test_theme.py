from __future__ import annotations

import re
from dataclasses import fields

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import QComboBox, QStyle, QWidget

from app import theme
from app.theme import DARK, ICONS, LIGHT, apply_theme, contrast, icon, icon_names, icon_pixmap, tokens

SURFACES = ("surface0", "surface1", "surface2", "selection")


@pytest.fixture
def themed(qapp):
    yield qapp
    apply_theme(qapp, "dark")


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("text", ["text", "text_dim", "accent", "red"])
def test_that_text_stands_out_from_every_surface(colours, surface, text):
    assert contrast(getattr(colours, text), getattr(colours, surface)) >= 4.5


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
def test_that_edges_and_marks_can_be_made_out(colours):
    assert contrast(colours.on_accent, colours.accent) >= 4.5
    for surface in SURFACES[:3]:
        assert contrast(colours.outline, getattr(colours, surface)) >= 3.0
    for surface in SURFACES:
        assert contrast(colours.amber, getattr(colours, surface)) >= 3.0
        assert contrast(colours.text_faint, getattr(colours, surface)) >= 3.0


def test_that_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


def test_that_the_style_sheet_names_only_tokens(qapp):
    for colours in (DARK, LIGHT):
        assert "@" not in theme.style_sheet(colours)


def test_that_pictures_of_the_style_sheet_exist(themed):
    for name in ("dark", "light"):
        apply_theme(themed, name)
        for path in re.findall(r"url\(([^)]*)\)", theme.style_sheet(tokens())):
            assert (ICONS.parent / path).is_file()


def test_that_switching_changes_the_palette(themed):
    apply_theme(themed, "light")
    assert themed.palette().window().color() == QColor(LIGHT.surface1)
    assert tokens() is LIGHT
    apply_theme(themed, "dark")
    assert themed.palette().window().color() == QColor(DARK.surface1)


@pytest.mark.parametrize("name", icon_names())
def test_that_every_icon_draws_one_line_weight_inside_its_square(qapp, name):
    source = (ICONS / f"{name}.svg").read_text()
    assert 'viewBox="0 0 24 24"' in source
    assert 'stroke-width="1.5"' in source
    assert "currentColor" in source
    image = icon_pixmap(name, 24, ratio=4).toImage()
    inked = [(x, y) for x in range(96) for y in range(96) if image.pixelColor(x, y).alpha() > 40]
    assert inked
    edge = {0, 1, 94, 95}
    assert not [spot for spot in inked if edge & set(spot)]


def test_that_icons_follow_the_theme_and_the_state(themed):
    made = icon("folder", colour="text")
    apply_theme(themed, "dark")
    assert _ink(made) == DARK.text
    apply_theme(themed, "light")
    assert _ink(made) == LIGHT.text
    assert _ink(made, mode=QIcon.Mode.Disabled) == LIGHT.text_faint
    assert _ink(made, state=QIcon.State.On) == LIGHT.accent


def test_that_icons_are_sharp_on_a_dense_screen(qapp):
    pixmap = icon("play").pixmap(QSize(16, 16), 2.0)
    assert pixmap.devicePixelRatio() == 2.0
    assert pixmap.size() == QSize(32, 32)


def test_that_an_unknown_icon_is_an_error(qapp):
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon")


def test_that_colours_are_written_in_one_way():
    for colours in (DARK, LIGHT):
        for field in fields(colours):
            assert re.fullmatch(r"#[0-9a-f]{6}", getattr(colours, field.name))


def test_that_body_text_has_thirteen_pixels(qapp):
    assert QWidget().font().pixelSize() == 13
    assert theme.secondary_font().pixelSize() == 11


def _ink(made: QIcon, mode: QIcon.Mode = QIcon.Mode.Normal, state: QIcon.State = QIcon.State.Off) -> str:
    image = made.pixmap(QSize(48, 48), 1.0, mode, state).toImage()
    colours = [image.pixelColor(x, y) for x in range(48) for y in range(48)]
    return max(colours, key=lambda colour: colour.alpha()).name()


def test_that_nothing_moves_by_itself_where_that_is_wanted(themed):
    fades = themed.isEffectEnabled(Qt.UIEffect.UI_FadeMenu)
    blinks_ms = themed.styleHints().cursorFlashTime()
    apply_theme(themed, "dark", is_still=True)
    combo = QComboBox()
    duration = QStyle.StyleHint.SH_Widget_Animation_Duration
    try:
        assert combo.style().styleHint(duration, None, combo) == 0
        assert not themed.isEffectEnabled(Qt.UIEffect.UI_FadeMenu)
        assert themed.styleHints().cursorFlashTime() == 0
    finally:
        apply_theme(themed, "dark")
    assert themed.isEffectEnabled(Qt.UIEffect.UI_FadeMenu) == fades
    assert themed.styleHints().cursorFlashTime() == blinks_ms
    assert combo.style().styleHint(duration, None, combo) > 0
