"""The database as a file: what stands on the disk, who holds it, and what the last daemon left beside it."""
