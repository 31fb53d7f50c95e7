"""Colours, sizes and icons of the window, dark and light.

Everything that paints takes its colours from `tokens()` when it paints, so that switching the theme needs no more than
a repaint. Text stands at least 4.5:1 against the surfaces it is meant for (tested).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QGuiApplication,
    QIcon,
    QIconEngine,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from core.config import RESOURCES

ThemeName = Literal["dark", "light"]

GRID = 4
BODY_PX = 13
SECONDARY_PX = 11
ROW_PX = 52
FADE_MS = 120
ICON_PX = 16
ICONS = RESOURCES / "icons"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours, as "#rrggbb".

    Attributes:
        surface0: Behind everything: lists, fields.
        surface1: Panels.
        surface2: Raised things: buttons, chips, the row under the pointer.
        border: Lines between regions; never the only sign of anything.
        outline: The edge of a control, at least 3:1 against the surfaces.
        text: Body text, on every surface and on `selection`.
        text_dim: Secondary text, on every surface and on `selection`.
        text_faint: Text of what cannot be used now.
        accent: The one accent: focus, selection's edge, the relevance bar, links.
        on_accent: Text on a surface of the accent.
        selection: The background of selected rows.
        amber: Matched moments, and nothing else.
        red: What failed; also as text.
        wave: Waveforms.
        wave_dim: The part of a waveform that is not the point.
    """

    surface0: str
    surface1: str
    surface2: str
    border: str
    outline: str
    text: str
    text_dim: str
    text_faint: str
    accent: str
    on_accent: str
    selection: str
    amber: str
    red: str
    wave: str
    wave_dim: str

    def colour(self, name: str) -> QColor:
        """A token as QColor.

        Raises:
            AttributeError: There is no such token.
        """
        return QColor(getattr(self, name))


DARK = Tokens(
    surface0="#17191b",
    surface1="#1e2123",
    surface2="#292d30",
    border="#33383b",
    outline="#767f83",
    text="#e4e7e8",
    text_dim="#a3abae",
    text_faint="#7b8386",
    accent="#3db5a6",
    on_accent="#06201d",
    selection="#213d3b",
    amber="#e8a33d",
    red="#f28b80",
    wave="#98a4a8",
    wave_dim="#565f63",
)
LIGHT = Tokens(
    surface0="#ffffff",
    surface1="#f4f5f5",
    surface2="#e7e9ea",
    border="#d2d6d8",
    outline="#7d868a",
    text="#1b1f21",
    text_dim="#51595d",
    text_faint="#7a8286",
    accent="#0a6e64",
    on_accent="#ffffff",
    selection="#d3e9e6",
    amber="#b26a00",
    red="#b3261e",
    wave="#59646a",
    wave_dim="#aab3b7",
)
_THEMES: dict[ThemeName, Tokens] = {"dark": DARK, "light": LIGHT}
_current: ThemeName = "dark"
_system_effects: dict[Qt.UIEffect, bool] = {}
_STILL = "\n* { widget-animation-duration: 0; }\n"
_EFFECTS = (
    Qt.UIEffect.UI_AnimateMenu,
    Qt.UIEffect.UI_FadeMenu,
    Qt.UIEffect.UI_AnimateCombo,
    Qt.UIEffect.UI_AnimateTooltip,
    Qt.UIEffect.UI_FadeTooltip,
)


def tokens() -> Tokens:
    """The colours of the theme in use."""
    return _THEMES[_current]


def theme_name() -> ThemeName:
    """The theme in use."""
    return _current


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two "#rrggbb" colours, 1 to 21, as WCAG 2 defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def apply_theme(
    application: QApplication, wanted: Literal["dark", "light", "system"] = "dark", *, is_still: bool = False
) -> None:
    """Give the application a palette, a style sheet and a font; may be called again to switch.

    Args:
        application: Whose windows.
        wanted: Which theme.
        is_still: Whether nothing may move by itself: no fading menus, no gliding scroll bars, no blinking cursor.
    """
    global _current
    _current = _resolve(wanted)
    if application.style().objectName() != "fusion":
        application.setStyle("Fusion")
    application.setFont(body_font())
    application.setPalette(palette(tokens()))
    application.setStyleSheet(style_sheet(tokens()) + (_STILL if is_still else ""))
    for effect in _EFFECTS:
        own = _system_effects.setdefault(effect, application.isEffectEnabled(effect))
        application.setEffectEnabled(effect, own and not is_still)
    hints = application.styleHints()
    # A negative time gives the system's back.
    hints.setCursorFlashTime(0 if is_still else -1)


def body_font() -> QFont:
    """The system's font in the size of body text."""
    font = QFont(QGuiApplication.font())
    font.setPixelSize(BODY_PX)
    return font


def secondary_font() -> QFont:
    """The system's font in the size of secondary text."""
    font = body_font()
    font.setPixelSize(SECONDARY_PX)
    return font


def palette(colours: Tokens) -> QPalette:
    """The palette of a theme."""
    made = QPalette()
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    for where, colour in (
        (role.Window, colours.surface1),
        (role.Base, colours.surface0),
        (role.AlternateBase, colours.surface1),
        (role.Button, colours.surface2),
        (role.ToolTipBase, colours.surface2),
        (role.WindowText, colours.text),
        (role.Text, colours.text),
        (role.ButtonText, colours.text),
        (role.ToolTipText, colours.text),
        (role.BrightText, colours.red),
        (role.PlaceholderText, colours.text_dim),
        (role.Highlight, colours.selection),
        (role.HighlightedText, colours.text),
        (role.Accent, colours.accent),
        (role.Link, colours.accent),
        (role.LinkVisited, colours.accent),
        (role.Light, colours.surface2),
        (role.Midlight, colours.surface2),
        (role.Mid, colours.border),
        (role.Dark, colours.border),
        (role.Shadow, colours.surface0),
    ):
        made.setColor(where, QColor(colour))
    for where in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        made.setColor(group.Disabled, where, QColor(colours.text_faint))
    return made


def style_sheet(colours: Tokens) -> str:
    """The style sheet of a theme."""
    sheet = (RESOURCES / "style.qss").read_text(encoding="utf-8")
    for field in sorted(fields(colours), key=lambda field: -len(field.name)):
        sheet = sheet.replace(f"@{field.name}", getattr(colours, field.name))
    return sheet.replace("@icons", ICONS.as_posix()).replace("@theme", theme_name())


def icon(name: str, size: int = ICON_PX, *, colour: str = "text_dim") -> QIcon:
    """One of our icons, in the colour of a token of whatever theme is in use when it is painted.

    Args:
        name: File name in `resources/icons` without ".svg".
        size: The size it reports, in device-independent pixels.
        colour: A token; what is disabled is painted in `text_faint`, what is on in `accent`.

    Raises:
        FileNotFoundError: There is no such icon.
    """
    return QIcon(_TintedIcon(name, size, colour))


def icon_pixmap(name: str, size: int = ICON_PX, *, colour: str = "text_dim", ratio: float = 1.0) -> QPixmap:
    """An icon as a pixmap of `size` device-independent pixels on a screen of a ratio; cached."""
    return _rendered(name, getattr(tokens(), colour), round(size * ratio), ratio)


class _TintedIcon(QIconEngine):
    """Paints an SVG in the theme's colours."""

    def __init__(self, name: str, size: int, colour: str) -> None:
        super().__init__()
        self._name, self._size, self._colour = name, size, colour
        _source(name)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        device = painter.device()
        ratio = device.devicePixelRatio() if device is not None else 1.0
        side = min(rect.width(), rect.height())
        if side <= 0:
            return
        pixmap = _rendered(self._name, self._tint(mode, state), round(side * ratio), ratio)
        offset = QPoint((rect.width() - side) // 2, (rect.height() - side) // 2)
        painter.drawPixmap(QRect(rect.topLeft() + offset, QSize(side, side)), pixmap)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        side = max(1, min(size.width(), size.height()))
        return _rendered(self._name, self._tint(mode, state), round(side * scale), scale)

    def actualSize(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QSize:
        return QSize(self._size, self._size).boundedTo(size)

    def clone(self) -> QIconEngine:
        return _TintedIcon(self._name, self._size, self._colour)

    def _tint(self, mode: QIcon.Mode, state: QIcon.State) -> str:
        if mode == QIcon.Mode.Disabled:
            return tokens().text_faint
        if state == QIcon.State.On:
            return tokens().accent
        return str(getattr(tokens(), self._colour))


@functools.cache
def _source(name: str) -> str:
    return (ICONS / f"{name}.svg").read_text(encoding="utf-8")


@functools.lru_cache(maxsize=512)
def _rendered(name: str, colour: str, pixels: int, ratio: float) -> QPixmap:
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(_source(name).replace("currentColor", colour).encode()))
    painter = QPainter(pixmap)
    renderer.render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def _resolve(wanted: Literal["dark", "light", "system"]) -> ThemeName:
    if wanted != "system":
        return wanted
    scheme = QGuiApplication.styleHints().colorScheme()
    return "light" if scheme == Qt.ColorScheme.Light else "dark"


def _luminance(colour: str) -> float:
    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[start : start + 2], 16)) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def icon_names() -> tuple[str, ...]:
    """All icons that there are."""
    return tuple(sorted(Path(path).stem for path in ICONS.glob("*.svg")))
