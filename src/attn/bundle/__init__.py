"""The files of one session: `run/<session-id>/`, written so that a kill at any moment leaves old or new."""
