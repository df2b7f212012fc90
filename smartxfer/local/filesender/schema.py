"""Tables of the local FileSender.

Source: FileSender protocol, section 5 (objects) and 6.7 (states).
"""

__all__ = ["SCHEMA"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE NOT NULL, api_key TEXT NOT NULL,
    created INTEGER NOT NULL, last_activity INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS transfers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, userid INTEGER NOT NULL, guest_id INTEGER,
    user_email TEXT NOT NULL, subject TEXT, message TEXT, status TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER NOT NULL, extensions INTEGER NOT NULL,
    options TEXT NOT NULL, salt TEXT NOT NULL, roundtriptoken TEXT NOT NULL,
    chunk_size INTEGER NOT NULL, encryption TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    transfer_id INTEGER NOT NULL REFERENCES transfers(id),
    puid TEXT NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, encrypted_size INTEGER NOT NULL,
    mime TEXT NOT NULL, iv TEXT, aead TEXT, folder INTEGER NOT NULL, complete INTEGER NOT NULL,
    upload_start INTEGER
);
CREATE INDEX IF NOT EXISTS files_transfer ON files(transfer_id);
CREATE TABLE IF NOT EXISTS recipients (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    transfer_id INTEGER NOT NULL REFERENCES transfers(id),
    token TEXT UNIQUE NOT NULL, email TEXT NOT NULL,
    created INTEGER NOT NULL, last_activity INTEGER
);
CREATE INDEX IF NOT EXISTS recipients_transfer ON recipients(transfer_id);
CREATE TABLE IF NOT EXISTS guests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, userid INTEGER NOT NULL, user_email TEXT NOT NULL,
    email TEXT NOT NULL, token TEXT UNIQUE NOT NULL, transfer_count INTEGER NOT NULL,
    subject TEXT, message TEXT, options TEXT NOT NULL, transfer_options TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER NOT NULL, status TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS guest_extensions (
    guest_id INTEGER PRIMARY KEY REFERENCES guests(id), date INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, transfer_id INTEGER NOT NULL,
    date INTEGER NOT NULL, event TEXT NOT NULL, author TEXT NOT NULL, target TEXT NOT NULL,
    time_taken INTEGER
);
CREATE INDEX IF NOT EXISTS audit_transfer ON audit(transfer_id);
"""
