"""Tables of the database of a server."""

#: Tables of objects that have an owner, by the name of the kind.
TABLES = {
    "manifest": "manifests", "destination": "destinations", "transfer": "transfers", "token": "tokens",
}

# `session` is the id of the session in which an object was made, independent of the login.
_OWNED = """id INTEGER PRIMARY KEY, owner TEXT NOT NULL, owner_token TEXT, session TEXT NOT NULL,
    user_data TEXT NOT NULL DEFAULT '{}', deleted INTEGER NOT NULL DEFAULT 0"""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS ids (id INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS manifests (
    {_OWNED}, status TEXT NOT NULL DEFAULT 'pending', error TEXT, total_files INTEGER, total_size INTEGER,
    mappings TEXT NOT NULL, viewer TEXT NOT NULL, bound TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS manifest_files (
    manifest INTEGER NOT NULL, number INTEGER NOT NULL, destination TEXT NOT NULL, source TEXT NOT NULL,
    real TEXT NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY (manifest, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destinations (
    {_OWNED}, connection INTEGER NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL, rate INTEGER,
    public_key TEXT, server_id TEXT, server_uid TEXT, last_error INTEGER, last_error_message TEXT,
    last_send INTEGER, last_recv INTEGER, connected INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS transfers (
    {_OWNED}, destination INTEGER NOT NULL, manifest INTEGER NOT NULL, path TEXT NOT NULL,
    priority INTEGER NOT NULL, checkpoint INTEGER, status TEXT NOT NULL DEFAULT 'pending', error TEXT,
    requested INTEGER NOT NULL, queued INTEGER NOT NULL, started INTEGER, ended INTEGER,
    total_blocks INTEGER NOT NULL, total_bytes INTEGER NOT NULL,
    blocks_sent INTEGER NOT NULL DEFAULT 0, blocks_acked INTEGER NOT NULL DEFAULT 0,
    retransmitted INTEGER NOT NULL DEFAULT 0, bytes_sent INTEGER NOT NULL DEFAULT 0,
    number INTEGER NOT NULL DEFAULT 0, offset INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS tokens (
    {_OWNED}, token TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, description TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER, salt TEXT, digest TEXT, permissions TEXT NOT NULL,
    manifest INTEGER, downloads INTEGER NOT NULL DEFAULT 0, download_limit INTEGER, path TEXT
);
CREATE TABLE IF NOT EXISTS wranglers (
    kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (kind, name)
);
CREATE TABLE IF NOT EXISTS sandboxes (user TEXT PRIMARY KEY, mapping TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS clients (public_key TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS received (
    id INTEGER PRIMARY KEY, sender TEXT NOT NULL, transfer INTEGER NOT NULL, path TEXT NOT NULL,
    status TEXT NOT NULL, total_size INTEGER NOT NULL, source_ip TEXT NOT NULL, source_port INTEGER NOT NULL,
    public_key TEXT NOT NULL, last_recv INTEGER, last_send INTEGER, last_error INTEGER,
    UNIQUE (sender, transfer)
);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, moment INTEGER NOT NULL, name TEXT NOT NULL,
    owner TEXT, details TEXT NOT NULL
);
"""
