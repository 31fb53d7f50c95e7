"""Another program beside Earshot: takes what is dropped on it, and has one file to drag away. Run as a script.

Usage: other_program.py X FILE. It prints "ready", and a line of JSON with the addresses of each drop.
"""

from __future__ import annotations

import json
import sys

from PySide6.QtCore import QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import QDrag, QDragEnterEvent, QDropEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget


class Track(QWidget):
    """Drops are taken and told; pressing and moving drags the file out."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        event.acceptProposedAction()
        print(json.dumps([url.toLocalFile() for url in event.mimeData().urls()]), flush=True)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(self._file)])
        drag = QDrag(self)
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)


def main() -> int:
    """Show the window until the process is ended."""
    application = QApplication(sys.argv[:1])
    track = Track(sys.argv[2])
    track.setGeometry(int(sys.argv[1]), 0, 400, 800)
    track.show()
    QTimer.singleShot(300, lambda: print("ready", flush=True))
    return application.exec()


if __name__ == "__main__":
    sys.exit(main())
