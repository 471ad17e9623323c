-- Keys and certificates that are trusted no longer, and makers whose certificates make devices known.

CREATE TABLE revocations (
    entry             BLOB    NOT NULL PRIMARY KEY,  -- CBOR: a key id, or issuer and serial number
    reason            TEXT    NOT NULL,
    revoked_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE makers (
    name              TEXT    NOT NULL PRIMARY KEY,
    anchor            BLOB    NOT NULL,              -- CBOR: a trust anchor
    template          TEXT    NOT NULL               -- JSON: an endorsement without ueid and attester
) STRICT, WITHOUT ROWID;
