"""The program of a session: started on a terminal, ended with all that it started, its end put on disk."""
