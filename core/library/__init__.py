"""The whole program without a screen, behind one class.

Example:
    >>> from pathlib import Path
    >>> from core.library import Library
    >>> from core.search.query import build_query
    >>> with Library.open(Path("my-library")) as library:            # doctest: +SKIP
    ...     for event in library.index([Path("sounds")]):
    ...         print(event)
    ...     for hit in library.search(build_query("metal gate creaks", negatives=["voices"])).hits:
    ...         print(hit.rank, hit.path, hit.span, hit.relevance)
"""

from core.catalogue.browse import DeskRow, FileDetail, FolderCount, Order, RootRow, UcsCount
from core.catalogue.caption import CaptionRow
from core.catalogue.collection import CollectionRow
from core.catalogue.models import FileState
from core.catalogue.saved_search import SavedSearch
from core.catalogue.statistic import SkippedItem
from core.catalogue.tag import TagCount
from core.library.bench import ModelChange
from core.library.check import Finding
from core.library.library import (
    Library,
    Status,
    import_model,
    installed_captioner,
    models,
    own_models,
    remove_model,
)
from core.search.duplicate import Duplicate
from core.search.focus import Focus
from core.search.moment import MomentScore

__all__ = [
    "CaptionRow",
    "CollectionRow",
    "DeskRow",
    "Duplicate",
    "FileDetail",
    "FileState",
    "Finding",
    "Focus",
    "FolderCount",
    "Library",
    "ModelChange",
    "MomentScore",
    "Order",
    "RootRow",
    "SavedSearch",
    "SkippedItem",
    "Status",
    "TagCount",
    "UcsCount",
    "import_model",
    "installed_captioner",
    "models",
    "own_models",
    "remove_model",
]
