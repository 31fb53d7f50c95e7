"""Nearest vectors to a query: HNSW graphs as a cache of the catalogue, exact search for what is not in them."""

from core.index.index import IndexStatus, LibraryIndex, index_folder, open_index
from core.index.protocol import VectorIndex, VectorSource
from core.index.setting import IndexSettings

__all__ = [
    "IndexSettings",
    "IndexStatus",
    "LibraryIndex",
    "VectorIndex",
    "VectorSource",
    "index_folder",
    "open_index",
]
