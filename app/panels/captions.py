"""The reading view: what is said of the sounds, large, with the category in the margin."""

from __future__ import annotations

from PySide6.QtWidgets import QHeaderView, QWidget

from app.delegates.caption import CAPTION_ROW_PX, CaptionDelegate
from app.delegates.ink import Ink
from app.models.results import ResultsModel
from app.models.roles import Column
from app.widgets.row_table import RowTable


class CaptionsView(RowTable):
    """One wide column over the model that the list shows, too.

    Args:
        model: The results.
        ink: Fonts and colours.
        parent: Owner.
    """

    def __init__(self, model: ResultsModel, ink: Ink, parent: QWidget | None = None) -> None:
        super().__init__(CAPTION_ROW_PX, parent)
        self.setAccessibleName(self.tr("Captions"))
        self.setObjectName("captionsView")
        self.setModel(model)
        self.setItemDelegate(CaptionDelegate(model, ink, self))
        header = self.horizontalHeader()
        header.hide()
        for column in Column:
            self.setColumnHidden(column, column is not Column.NAME)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
