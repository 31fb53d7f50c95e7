"""All that is known of a file as names and values to be read, and what is wrong with it as a sentence."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.models.row import category_text, clock_text, loudness_text
from app.phrase import size

if TYPE_CHECKING:
    from core.library import DeskRow, FileDetail

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate


def facts_of(detail: FileDetail) -> list[tuple[str, str]]:
    """Names and values; an empty value is nothing to show, and an empty name makes the value a heading."""
    row = detail.row
    rate = f"{row.sample_rate_hz:,} Hz" if row.sample_rate_hz else ""
    peak = f"{row.peak_db:.1f} dBFS".replace("-", "−") if row.peak_db is not None else ""
    changed = datetime.fromtimestamp(row.mtime_ns / 1e9).strftime("%Y-%m-%d %H:%M")
    depth = translate("Facts", "{0} bit").format(row.bit_depth) if row.bit_depth else ""
    facts = [
        (translate("Facts", "Category"), f"{row.category} · {category_text(row.category)}" if row.category else ""),
        (translate("Facts", "Collections"), ", ".join(detail.collections)),
        (translate("Facts", "Length"), clock_text(row.duration_s) if row.duration_s is not None else ""),
        (translate("Facts", "Format"), row.container.upper()),
        (translate("Facts", "Rate"), rate),
        (translate("Facts", "Bit depth"), depth),
        (translate("Facts", "Channels"), str(row.channels or "")),
        (translate("Facts", "Loudness"), loudness_text(row.loudness_lufs)),
        (translate("Facts", "Peak"), peak),
        (translate("Facts", "Size"), size(row.size_bytes)),
        (translate("Facts", "Changed"), changed),
    ]
    scheme = ""
    for field in detail.metadata:
        if field.scheme != scheme:
            scheme = field.scheme
            facts.append(("", scheme))
        facts.append((field.key, field.value))
    return facts


def problem_of(row: DeskRow) -> str:
    """Why a file is of no use, or an empty string."""
    if row.skip_reason:
        return translate("Facts", "Skipped: {reason}").format(reason=row.skip_reason)
    if row.is_offline:
        return translate("Facts", "Its folder cannot be reached at present.")
    return ""
