-- The first schema. Times are microseconds since 1970-01-01 UTC. Component identifiers are kept in
-- their text form, which parses back to the same identifier.

CREATE TABLE devices (
    ueid              BLOB    NOT NULL PRIMARY KEY,
    endorsement       TEXT    NOT NULL,             -- JSON
    enrolled_at       INTEGER NOT NULL,
    agent_key         BLOB,                         -- COSE_Key
    agent_key_id      BLOB,                         -- its RFC 9679 thumbprint
    numbering         TEXT,
    attested_at       INTEGER,
    -- The newest challenge that was used: what is not newer is refused.
    mark_issued_at    INTEGER NOT NULL,
    mark_salt         BLOB    NOT NULL DEFAULT x'00000000000000000000000000000000',
    installed         TEXT    NOT NULL DEFAULT '[]' -- tc-list: JSON
) STRICT, WITHOUT ROWID;

CREATE INDEX devices_by_agent_key ON devices (agent_key_id) WHERE agent_key_id IS NOT NULL;

-- The one Update that each device may still answer.
CREATE TABLE pending_updates (
    ueid              BLOB    NOT NULL PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
    token_hash        BLOB    NOT NULL,
    issued_at         INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    install           TEXT    NOT NULL,             -- JSON: numbers of manifests
    unlink            TEXT    NOT NULL              -- JSON: component identifiers
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_updates_by_issue ON pending_updates (issued_at);
CREATE INDEX pending_updates_by_expiry ON pending_updates (expires_at);

CREATE TABLE domains (
    name              TEXT    NOT NULL PRIMARY KEY,
    prefix            TEXT    NOT NULL UNIQUE,
    anchor            BLOB                          -- COSE_Key
) STRICT, WITHOUT ROWID;

CREATE TABLE domain_signers (
    domain            TEXT    NOT NULL REFERENCES domains ON DELETE CASCADE,
    position          INTEGER NOT NULL,
    key               BLOB    NOT NULL,             -- COSE_Key
    PRIMARY KEY (domain, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE manifests (
    id                 INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind               TEXT    NOT NULL CHECK (kind IN ('component', 'domain')),
    domain             TEXT    NOT NULL REFERENCES domains,
    manifest_component TEXT    NOT NULL,
    sequence_number    INTEGER NOT NULL,
    digest_algorithm   INTEGER NOT NULL,
    digest             BLOB    NOT NULL,
    signer             BLOB    NOT NULL,            -- COSE_Key
    published_at       INTEGER NOT NULL,
    envelope           BLOB    NOT NULL,
    UNIQUE (manifest_component, sequence_number),
    UNIQUE (digest)
) STRICT;

CREATE INDEX manifests_by_domain ON manifests (domain);

CREATE TABLE manifest_components (
    manifest          INTEGER NOT NULL REFERENCES manifests ON DELETE CASCADE,
    position          INTEGER NOT NULL,
    component         TEXT    NOT NULL,
    digest_algorithm  INTEGER,
    digest            BLOB,
    PRIMARY KEY (manifest, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE manifest_dependencies (
    manifest          INTEGER NOT NULL REFERENCES manifests ON DELETE CASCADE,
    position          INTEGER NOT NULL,
    digest_algorithm  INTEGER NOT NULL,
    digest            BLOB    NOT NULL,
    PRIMARY KEY (manifest, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE deployments (
    id                INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    selector          TEXT    NOT NULL,
    component         TEXT    NOT NULL,
    mode              TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    UNIQUE (selector, component)
) STRICT;

-- What became of each manifest on each device, the last time it was tried.
CREATE TABLE outcomes (
    ueid                 BLOB    NOT NULL REFERENCES devices ON DELETE CASCADE,
    manifest             INTEGER NOT NULL REFERENCES manifests ON DELETE CASCADE,
    installed            INTEGER NOT NULL,          -- 0 or 1
    failures             INTEGER NOT NULL,          -- in a row, under these deployments
    deployments_revision INTEGER NOT NULL,
    reason               TEXT    NOT NULL,
    at                   INTEGER NOT NULL,
    PRIMARY KEY (ueid, manifest)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id                INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at                INTEGER NOT NULL,
    action            TEXT    NOT NULL,
    ueid              BLOB,
    subject           TEXT    NOT NULL,
    detail            TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_by_device ON audit (ueid) WHERE ueid IS NOT NULL;

-- One row. `catalog` changes with domains, manifests and deployments, `deployments` with the last alone.
CREATE TABLE revisions (
    catalog           INTEGER NOT NULL,
    deployments       INTEGER NOT NULL
) STRICT;

INSERT INTO revisions VALUES (1, 1);
