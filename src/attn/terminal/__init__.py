"""The terminal emulator (libghostty-vt) and what is read out of it: snapshots, cells, keys."""
