"""The library's database: SQLite is the truth, everything else can be rebuilt from it."""

from core.catalogue.catalogue import Catalogue

__all__ = ["Catalogue"]
