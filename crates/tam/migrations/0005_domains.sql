-- What is to leave the devices again, and tokens of people who may do a part of what the administrator may.

ALTER TABLE manifests ADD COLUMN withdrawn_at INTEGER;
ALTER TABLE domains ADD COLUMN retired_at INTEGER;

CREATE TABLE tokens (
    name              TEXT    NOT NULL PRIMARY KEY,
    hash              BLOB    NOT NULL UNIQUE,       -- SHA-256 of the token
    role              TEXT    NOT NULL,
    created_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The security domains that a signer's token is for. Who registers a domain of the same name later does not get
-- the old tokens with it.
CREATE TABLE token_domains (
    token             TEXT    NOT NULL REFERENCES tokens ON DELETE CASCADE,
    domain            TEXT    NOT NULL REFERENCES domains ON DELETE CASCADE,
    PRIMARY KEY (token, domain)
) STRICT, WITHOUT ROWID;
