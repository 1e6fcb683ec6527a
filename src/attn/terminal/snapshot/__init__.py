"""libghostty-vt's binary snapshot as typed records."""
