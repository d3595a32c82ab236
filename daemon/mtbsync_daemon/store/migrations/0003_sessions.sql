-- Sessions: events that several cameras recorded at once. Moments are seconds since 1970 (UTC).

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    project TEXT NOT NULL,
    date TEXT NOT NULL,                -- YYYY-MM-DD
    location TEXT NOT NULL,
    notes TEXT NOT NULL,
    prefix TEXT NOT NULL,              -- of the keys that its media are stored under; it never changes
    wanted_master TEXT,                -- the camera that a person chose; NULL: the one that sounds best
    version INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX sessions_newest ON sessions (created_at DESC, id);

CREATE TABLE cameras (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    angle INTEGER NOT NULL,            -- its number in storage keys
    take INTEGER NOT NULL DEFAULT 1,   -- counts how often its recording was replaced
    path BLOB NOT NULL,                -- the first file that it was added with
    recording_id TEXT REFERENCES recordings (id),  -- NULL until that has come and been looked at
    job_id TEXT REFERENCES jobs (id),  -- its ingest
    has_sound INTEGER,                 -- whether that has found any; NULL: it has not ended yet
    problem TEXT,                      -- why its file could not be looked at
    PRIMARY KEY (session_id, label),
    UNIQUE (session_id, recording_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cameras_of_path ON cameras (path);
CREATE INDEX cameras_of_recording ON cameras (recording_id);

-- The last angle below each prefix: what was made for a camera that was removed is never another's.
CREATE TABLE angles (
    prefix TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was made of a camera's footage; made again, it takes the place of what was there.
CREATE TABLE derived (
    session_id TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('mezzanine', 'proxy', 'audio-wav', 'waveform', 'thumbnail')),
    key TEXT NOT NULL,                 -- in the storage
    n_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    made_at REAL NOT NULL,
    PRIMARY KEY (session_id, label, kind),
    FOREIGN KEY (session_id, label) REFERENCES cameras (session_id, label) ON DELETE CASCADE ON UPDATE CASCADE
) STRICT, WITHOUT ROWID;

-- What lies in the storage and is nobody's any more; the prune removes it there, and then here.
CREATE TABLE disowned (
    key TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,          -- whose it was; that may be gone
    n_bytes INTEGER NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
-- The sessions, there or gone, that something is done for, or will be.
CREATE VIEW busy AS
SELECT json_extract(params, '$.session') AS session_id FROM jobs
WHERE state IN ('queued', 'running') AND json_extract(params, '$.session') IS NOT NULL;
CREATE TRIGGER derived_went AFTER DELETE ON derived BEGIN
    INSERT OR REPLACE INTO disowned (key, session_id, n_bytes, at)
    VALUES (old.key, old.session_id, old.n_bytes, (julianday('now') - 2440587.5) * 86400.0);
END;
CREATE TRIGGER derived_is_another AFTER UPDATE ON derived WHEN old.key != new.key BEGIN
    INSERT OR REPLACE INTO disowned (key, session_id, n_bytes, at)
    VALUES (old.key, old.session_id, old.n_bytes, (julianday('now') - 2440587.5) * 86400.0);
    DELETE FROM disowned WHERE key = new.key;
END;
CREATE TRIGGER derived_came AFTER INSERT ON derived BEGIN
    DELETE FROM disowned WHERE key = new.key;
END;

-- How a session's cameras were lined up last.
CREATE TABLE line_ups (
    session_id TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    job_id TEXT NOT NULL REFERENCES jobs (id),
    master TEXT NOT NULL,
    qualities TEXT NOT NULL,           -- JSON, how good each camera's sound is
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Where each camera but the master lies on the master's clock.
CREATE TABLE placements (
    session_id TEXT NOT NULL,
    label TEXT NOT NULL,
    offset_ms REAL,                    -- as it was found; NULL: nothing tells
    drift_ppm REAL,
    score REAL NOT NULL,
    error_ms REAL,
    method TEXT,
    reason TEXT NOT NULL,
    through TEXT,                      -- the camera that it was laid on, where that is not the master
    correlation TEXT NOT NULL,         -- JSON, what it was told from, for a picture
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'corrected')),
    own_offset_ms REAL,                -- by a person
    own_drift_ppm REAL,
    version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (session_id, label),
    FOREIGN KEY (session_id, label) REFERENCES cameras (session_id, label) ON DELETE CASCADE ON UPDATE CASCADE
) STRICT, WITHOUT ROWID;

-- Everything that was found, and that people decided.
CREATE TABLE placement_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    what TEXT NOT NULL,                -- found, approved, corrected, taken back
    offset_ms REAL,
    drift_ppm REAL,
    at REAL NOT NULL
) STRICT;
CREATE INDEX history_of_session ON placement_history (session_id, id DESC);
