-- Moments are seconds since 1970 (UTC). Paths are bytes as the system has them: names need not be text.

CREATE TABLE recordings (
    id TEXT PRIMARY KEY,               -- the content's fingerprint
    name TEXT NOT NULL,
    duration_s REAL NOT NULL,
    about TEXT NOT NULL,               -- JSON, see store.recordings.About
    added_at REAL NOT NULL
) STRICT;
CREATE INDEX recordings_newest ON recordings (added_at DESC, id);

-- Every file that was taken, also what turned out to be no recording, and copies of the same content.
CREATE TABLE files (
    path BLOB PRIMARY KEY,
    folder BLOB NOT NULL,              -- the watched folder it was found in; empty where a program named it
    first BLOB NOT NULL,               -- its group's first chapter
    is_chapter INTEGER NOT NULL,
    n_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    recording_id TEXT REFERENCES recordings (id) ON DELETE SET NULL,
    refused TEXT                       -- why it is no recording
) STRICT;
CREATE INDEX files_of_folder ON files (folder);
CREATE INDEX files_of_recording ON files (recording_id);

CREATE TABLE trails (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    recording_id TEXT NOT NULL UNIQUE REFERENCES recordings (id),
    markers TEXT NOT NULL,             -- JSON, a list of markers on the reference's clock
    is_ready INTEGER NOT NULL DEFAULT 0,
    cells TEXT NOT NULL DEFAULT '[]',  -- JSON, where it goes: cells of a grid over the earth
    version INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,          -- of the kind, the inputs' contents and the parameters
    params TEXT NOT NULL,
    recording_id TEXT,
    state TEXT NOT NULL CHECK
        (state IN ('queued', 'running', 'needs_review', 'done', 'failed', 'cancelled')),
    priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    boot_id TEXT,                      -- the daemon that runs it, or ran it last
    stage TEXT NOT NULL DEFAULT '',    -- that it ended in
    error TEXT,
    result TEXT,
    stages TEXT NOT NULL DEFAULT '{}', -- seconds that each stage took
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL
) STRICT;
CREATE INDEX jobs_waiting ON jobs (priority DESC, created_at) WHERE state = 'queued';
CREATE INDEX jobs_active ON jobs (kind) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_newest ON jobs (created_at DESC, id);
CREATE INDEX jobs_of_recording ON jobs (recording_id);

CREATE TABLE syncs (
    id TEXT PRIMARY KEY,               -- its first job's
    job_id TEXT NOT NULL UNIQUE REFERENCES jobs (id),
    recording_id TEXT NOT NULL REFERENCES recordings (id),
    wanted_trail_id TEXT REFERENCES trails (id) ON DELETE SET NULL,
    trail_id TEXT REFERENCES trails (id) ON DELETE SET NULL,
    verdict TEXT CHECK (verdict IN ('accept', 'review', 'reject')),
    reasons TEXT NOT NULL DEFAULT '[]',
    candidates TEXT NOT NULL DEFAULT '[]',
    artifact TEXT,                     -- the folder of its results, below the artifacts
    is_accepted INTEGER NOT NULL DEFAULT 0,
    turn INTEGER NOT NULL,             -- of a recording's syncs the highest counts
    version INTEGER NOT NULL DEFAULT 1,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX syncs_of_recording ON syncs (recording_id, turn DESC);
CREATE INDEX syncs_newest ON syncs (created_at DESC, id);

-- The markers that runs have: found by a sync, and what a person made of them.
CREATE TABLE markers (
    recording_id TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    sync_id TEXT NOT NULL REFERENCES syncs (id),
    name TEXT NOT NULL,
    colour TEXT NOT NULL,
    comment TEXT NOT NULL,
    t_ref_s REAL NOT NULL,             -- on the trail's reference
    t_s REAL,                          -- on the run; NULL: it does not show the place
    duration_s REAL NOT NULL,
    confidence REAL NOT NULL,
    expected_error_s REAL,
    needs_review INTEGER NOT NULL,
    reason TEXT NOT NULL,
    extra TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('found', 'accepted', 'corrected', 'rejected')),
    version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (recording_id, id)
) STRICT, WITHOUT ROWID;

-- What an editor's timeline shows over a recording, as it was told last.
CREATE TABLE told (
    recording_id TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    timeline TEXT NOT NULL,
    markers TEXT NOT NULL,
    told_at REAL NOT NULL,
    PRIMARY KEY (recording_id, timeline)
) STRICT, WITHOUT ROWID;

-- What was done to editors' timelines, so that it can be undone.
CREATE TABLE pushes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timeline TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('started', 'done', 'undone')),
    steps TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX pushes_of_timeline ON pushes (timeline, id DESC);

-- Files written for editors. The digest tells whether a person has changed one since.
CREATE TABLE exports (
    id TEXT PRIMARY KEY,
    recording_id TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    format TEXT NOT NULL,
    path BLOB NOT NULL UNIQUE,
    digest TEXT NOT NULL,
    losses TEXT NOT NULL,
    written_at REAL NOT NULL
) STRICT;
CREATE INDEX exports_of_recording ON exports (recording_id);

-- What a recording's exports in a folder are called, so that no two get in each other's way.
CREATE TABLE stems (
    folder BLOB NOT NULL,
    recording_id TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    stem BLOB NOT NULL,
    PRIMARY KEY (folder, recording_id),
    UNIQUE (folder, stem)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL
) STRICT;
