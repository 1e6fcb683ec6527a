"""What each message of a client does: one function a message, all of them in the tables of `dispatch`."""
