"""The commands that look after a home, also where no daemon can: repairs, backups, examinations."""
