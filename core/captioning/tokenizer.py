"""Words of an English caption, split the way spaCy's blank English pipeline splits them.

The published captioners were trained on those tokens, so a vocabulary fits its checkpoint only with the same rules.
spaCy is no dependency; these are the rules that matter for captions:

1. Text falls apart at white space.
2. A piece that is a known exception is split as its entry says: contractions with and without their apostrophe
   ("don't", "dont" -> "do" + "n't"/"nt"), "cannot", "gonna", clock times ("10pm" -> "10" + "pm"), single letters and
   common abbreviations with their full stop.
3. Otherwise punctuation comes off its front and its back one by one, a possessive "'s" and units behind digits
   included, until nothing comes off or an exception is left.
4. What is left falls apart at hyphens between letters, commas between letters, full stops between a lower-case and
   an upper-case letter, operators between digits, and `: < > = /` before a letter; unless it looks like a web
   address, which stays whole ("barks.then" does).

Left out: emoticons, and exceptions for names, months, states and titles, which only match capitalised words.
"""

from __future__ import annotations

import re
from functools import cache

_PRONOUNS = ("i", "you", "he", "she", "it", "we", "they")
_ASKING = ("who", "what", "when", "where", "why", "how", "there", "that", "this", "these", "those")
_WITH_NOT = (
    "ca could do does did had may might must need ought sha should wo would ai are is was were have has dare".split()
)
_WITH_HAVE_AFTER_NOT = frozenset("ca could do does did had may might must need ought sha should wo would".split())
_WITH_HAVE = ("could", "might", "must", "should", "would")
_REAL_WORDS = frozenset(("ill", "its", "hell", "shell", "shed", "were", "well", "whore"))
_WHOLE = (
    "doin goin nothin nuthin ol somethin em ll nuff lovin havin 'em 'll 'nuff 's 're 'cause 'cos 'coz 'cuz 'bout 'd"
    " ma'am o'clock and/or w/o a.m. co. e.g. i.e. p.m. vs. v.s. ' '' doin' goin' nothin' nuthin' ol' somethin'"
    " lovin' havin'"
).split()
_ODD = {
    "y'all": ("y'", "all"),
    "yall": ("y", "all"),
    "how'd'y": ("how", "'d", "'y"),
    "not've": ("not", "'ve"),
    "notve": ("not", "ve"),
    "cannot": ("can", "not"),
    "gonna": ("gon", "na"),
    "gotta": ("got", "ta"),
    "let's": ("let", "'s"),
    "c'mon": ("c'm", "on"),
    "i'm": ("i", "'m"),
    "im": ("i", "m"),
    "i'ma": ("i", "'m", "a"),
    "ima": ("i", "m", "a"),
}


def _endings() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Word -> the contracted endings that it takes, each as its parts."""
    will, would, have = ("'ll",), ("'d",), ("'ve",)
    will_have, would_have, are, owns = ("'ll", "'ve"), ("'d", "'ve"), ("'re",), ("'s",)
    table: dict[str, tuple[tuple[str, ...], ...]] = {}
    for word in (*_PRONOUNS, *_ASKING):
        endings = [will, will_have, would, would_have]
        if word not in ("he", "she", "it", "that", "this"):
            endings.append(have)
        if word in ("you", "we", "they") or (word in _ASKING and word not in ("that", "this")):
            endings.append(are)
        if word in ("he", "she", "it") or (word in _ASKING and word not in ("these", "those")):
            endings.append(owns)
        table[word] = tuple(endings)
    for word in _WITH_NOT:
        table[word] = (("n't",), ("n't", "'ve")) if word in _WITH_HAVE_AFTER_NOT else (("n't",),)
    for word in _WITH_HAVE:
        table[word] = (*table[word], have)
    return table


@cache
def _exceptions() -> dict[str, tuple[str, ...]]:
    """Lower-case piece -> tokens; capitalised pieces are looked up by their lower-case form."""
    table: dict[str, tuple[str, ...]] = {word: (word,) for word in _WHOLE}
    table.update(_ODD)
    table.update({f"{letter}.": (f"{letter}.",) for letter in "abcdefghijklmnopqrstuvwxyz"})
    for word, endings in _endings().items():
        for ending in endings:
            table[word + "".join(ending)] = (word, *ending)
            plain = tuple(part.replace("'", "") for part in ending)
            table[word + "".join(plain)] = (word, *plain)
    for bare in ("whore", "were", "well", "hell", "shell", "shed", "ill", "its"):
        table.pop(bare, None)
    for hour in range(1, 13):
        for half in ("am", "pm", "a.m.", "p.m."):
            table[f"{hour}{half}"] = (str(hour), half)
    return table


_QUOTES = r"'\"“”‘’`´«»„"
_MARKS = r"…,:;!?¿¡()\[\]{}<>_#*&।،؛٪"
_SYMBOLS = r"$£€¥©®™°~^"
_PREFIX = re.compile(rf"\.\.+|[§%=—–{_MARKS}{_QUOTES}{_SYMBOLS}]|\+(?![0-9])")
_UNITS = (
    r"km²|km³|km/h|kmh|km|m²|m³|m/s|mm²|mm³|mm|mbar|mb|MB|mph|mg|m|dm²|dm³|dm|cm²|cm³|cm|ha|hPa|Pa|µm|µg|nm|yd|"
    r"in|ft|kg|kb|KB|gb|GB|g|tb|TB|t|lb|oz|T|G|M|K|%"
)
_SUFFIX = re.compile(
    rf"(?:\.\.+|[{_MARKS}{_QUOTES}©®™°~^—–]|['’][sS]|(?<=[0-9])\+|(?<=[0-9])[$£€¥]|(?<=[0-9])(?:{_UNITS})"
    rf"|(?<=[a-zß-öø-ÿ0-9%²\-+{_QUOTES}{_MARKS}])\.|(?<=[A-Z][A-Z])\.)$"
)
_LETTER = r"[^\W\d_]"
_INFIX = re.compile(
    r"\.\.+|…|[©®™°~^]"
    r"|(?<=[0-9])[+\-*^](?=[0-9-])"
    rf"|(?<=[a-z{_QUOTES}])\.(?=[A-Z{_QUOTES}])"
    rf"|(?<={_LETTER}),(?={_LETTER})"
    rf"|(?:(?<={_LETTER})|(?<=[0-9]))(?:---|--|——|-|–|—|~)(?={_LETTER})"
    rf"|(?:(?<={_LETTER})|(?<=[0-9]))[:<>=/](?={_LETTER})"
)
_ADDRESS = re.compile(
    r"(?:[\w+\-.]{2,}://)?(?:\S+(?::\S*)?@)?(?:[^\W_](?:[\w-]{0,62}[^\W_])?\.)+[a-z]{2,63}(?::\d{2,5})?(?:[/?#]\S*)?"
)


def _exception(piece: str) -> tuple[str, ...] | None:
    """The entry of a piece, in the piece's own letters."""
    entry = _exceptions().get(piece)
    if entry is not None:
        return entry
    entry = _exceptions().get(piece.replace("’", "'").lower())
    if entry is None or piece[1:] != piece[1:].lower():
        return None
    parts, first = [], 0
    for part in entry:
        parts.append(piece[first : first + len(part)])
        first += len(part)
    return tuple(parts)


def _middle(piece: str) -> list[str]:
    """What is left after prefixes and suffixes: an address, or a word that may fall apart inside."""
    if _ADDRESS.fullmatch(piece):
        return [piece]
    tokens, start = [], 0
    for match in _INFIX.finditer(piece):
        if match.start() > start:
            tokens.append(piece[start : match.start()])
        tokens.append(match.group())
        start = match.end()
    if start < len(piece):
        tokens.append(piece[start:])
    return tokens


def _split(piece: str) -> list[str]:
    front: list[str] = []
    back: list[str] = []
    while piece and _exception(piece) is None:
        prefix = _PREFIX.match(piece)
        if prefix and prefix.end() < len(piece) and _exception(piece[prefix.end() :]) is not None:
            front.append(prefix.group())
            piece = piece[prefix.end() :]
            break
        suffix = _SUFFIX.search(piece, prefix.end() if prefix else 0)
        if suffix and suffix.start() > 0 and _exception(piece[: suffix.start()]) is not None:
            back.append(suffix.group())
            piece = piece[: suffix.start()]
            break
        if not prefix and not suffix:
            break
        if prefix:
            front.append(prefix.group())
        if suffix:
            back.append(suffix.group())
        piece = piece[prefix.end() if prefix else 0 : suffix.start() if suffix else len(piece)]
    entry = _exception(piece) if piece else ()
    middle = _middle(piece) if entry is None else list(entry)
    return _join_apostrophes([*front, *middle, *reversed(back)])


def _join_apostrophes(tokens: list[str]) -> list[str]:
    """Two apostrophes side by side are one token, a closing quote."""
    joined: list[str] = []
    for token in tokens:
        if token == "'" and joined and joined[-1] == "'":
            joined[-1] = "''"
        else:
            joined.append(token)
    return joined


def split_words(text: str) -> list[str]:
    """Tokens of a text, in order; joined without spaces they are the text without its white space."""
    tokens: list[str] = []
    for piece in text.split():
        tokens.extend(_split(piece))
    return tokens


_PUNCTUATION = re.compile(r"[,.!?;:\"“”’`(){}\[\]*×\-#/+_~ʘ\\]")


def normalise_caption(text: str) -> str:
    """Lower case, punctuation turned into spaces (the plain apostrophe stays), single spaces.

    Labbé et al. 2023, section 3.1.
    """
    return " ".join(_PUNCTUATION.sub(" ", text.lower()).split())
