-- The schema that all migrations lead to. Generated from src/attn/store/migrations.py; tests compare.

CREATE TABLE file_facts (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE migrations (name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, app_version TEXT NOT NULL, applied_at_ms INTEGER NOT NULL, applied_by TEXT NOT NULL) STRICT;

CREATE TABLE prs (id TEXT NOT NULL PRIMARY KEY, repo TEXT NOT NULL, number INTEGER NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL, role TEXT NOT NULL, state TEXT NOT NULL, updated_at_ms INTEGER NOT NULL, "host" TEXT NOT NULL DEFAULT 'github.com') STRICT;

CREATE TABLE recent_locations (path TEXT NOT NULL PRIMARY KEY, used_at_ms INTEGER NOT NULL, use_count INTEGER NOT NULL DEFAULT 1) STRICT;

CREATE TABLE sessions (id TEXT NOT NULL PRIMARY KEY, label TEXT NOT NULL, agent TEXT NOT NULL, cwd TEXT NOT NULL, state TEXT NOT NULL, created_at_ms INTEGER NOT NULL, "argv" TEXT NOT NULL DEFAULT '[]', "rows" INTEGER NOT NULL DEFAULT 40, "cols" INTEGER NOT NULL DEFAULT 120, "position" INTEGER NOT NULL DEFAULT 0, "last_output_at_ms" INTEGER, "exit_code" INTEGER, "exit_signal" INTEGER, "exit_at_ms" INTEGER, "cause" TEXT, "parent" TEXT, "resume" TEXT, "worker_build" TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE settings (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE UNIQUE INDEX prs_host_repo_number ON prs (host, repo, number);
