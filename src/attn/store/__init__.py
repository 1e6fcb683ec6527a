"""The database: an index of sessions, recent directories and settings that never pretends to have saved."""

from attn.store.failures import StoreFailure
from attn.store.opening import Store, open_store
from attn.store.sessions import SessionRow

__all__ = ["SessionRow", "Store", "StoreFailure", "open_store"]
