"""Numbers and times as people read them."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate


def counted(number: int) -> str:
    """A whole number with its thousands parted: 18,204."""
    return f"{number:,}"


def sounds(number: int) -> str:
    """A number of sounds: "1 sound", "18,204 sounds"."""
    return translate("Phrase", "1 sound") if number == 1 else translate("Phrase", "{0} sounds").format(counted(number))


def clock(seconds: float) -> str:
    """A length or position as m:ss, with hours where there are any."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def hours(seconds: float) -> str:
    """A long playing time: "45 min", "12 h"."""
    if seconds < 3600:
        return translate("Phrase", "{0} min").format(max(1, round(seconds / 60)) if seconds > 0 else 0)
    return translate("Phrase", "{0} h").format(
        counted(round(seconds / 3600)) if seconds >= 36_000 else f"{seconds / 3600:.1f}"
    )


def time_left(seconds: float) -> str:
    """How long something will go on, no more exact than it is known."""
    if seconds < 10:
        return translate("Phrase", "a few seconds left")
    if seconds < 60:
        return translate("Phrase", "{0} s left").format(round(seconds / 10) * 10)
    if seconds < 5_400:
        return translate("Phrase", "{0} min left").format(round(seconds / 60))
    return translate("Phrase", "{0} h left").format(
        f"{seconds / 3600:.1f}" if seconds < 36_000 else counted(round(seconds / 3600))
    )


def pace(per_second: float) -> str:
    """How fast files are done: "312/s", "0.4/s", "20/min"."""
    if per_second >= 10:
        return translate("Phrase", "{0}/s").format(counted(round(per_second)))
    if per_second >= 1:
        return translate("Phrase", "{0}/s").format(f"{per_second:.1f}")
    return translate("Phrase", "{0}/min").format(f"{per_second * 60:.0f}")


def size(number_of_bytes: int) -> str:
    """An amount of data: "812 MB", "1.4 GB"."""
    for unit, amount in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number_of_bytes >= amount:
            value = number_of_bytes / amount
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{number_of_bytes} B"
