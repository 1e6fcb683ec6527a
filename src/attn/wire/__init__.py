"""Bytes to messages and back. Pure: nothing here opens a socket."""
