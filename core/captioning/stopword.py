"""Little words that a caption may use more than once: NLTK's English stopwords, here by their part of speech.

Labbé et al. 2023, section 3.3. NLTK's list also holds the debris of contractions ("don", "ll", "ve"), kept since a
checkpoint's captions depend on it.
"""

from __future__ import annotations

_PRONOUNS = """
    i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself
    it its itself they them their theirs themselves
"""
_POINTING_AND_ASKING = "what which who whom this that these those here there when where why how"
_VERBS = "am is are was were be been being have has had having do does did doing can will just should"
_ARTICLES_AND_JUNCTIONS = "a an the and but if or because as until while nor so than"
_PREPOSITIONS = """
    of at by for with about against between into through during before after above below to from up down in out on off
    over under
"""
_ADVERBS_AND_AMOUNTS = """
    again further then once all any both each few more most other some such no not only own same too very now
"""
_CONTRACTIONS = """
    you're you've you'll you'd she's it's that'll don't should've aren't couldn't didn't doesn't hadn't hasn't
    haven't isn't mightn't mustn't needn't shan't shouldn't wasn't weren't won't wouldn't
"""
_DEBRIS = """
    s t d ll m o re ve y don ain aren couldn didn doesn hadn hasn haven isn ma mightn mustn needn shan shouldn wasn
    weren won wouldn
"""

STOPWORDS = frozenset(
    " ".join(
        (
            _PRONOUNS,
            _POINTING_AND_ASKING,
            _VERBS,
            _ARTICLES_AND_JUNCTIONS,
            _PREPOSITIONS,
            _ADVERBS_AND_AMOUNTS,
            _CONTRACTIONS,
            _DEBRIS,
        )
    ).split()
)

OPEN_WORDS = frozenset(
    """
    a an the and or but as while before after than of at with for from into onto to against between followed
    is are was were its his her their someone's
    """.split()
)
"""Words that leave a sentence open: no caption ends with one."""
