"""What a long job tells the world (events) and how the world stops it (cancel token) or holds it (pause token)."""

from core.jobs.cancel import CancelToken
from core.jobs.event import Event, Notice, Progress, Skipped, Written
from core.jobs.pause import PauseToken

__all__ = ["CancelToken", "Event", "Notice", "PauseToken", "Progress", "Skipped", "Written"]
