-- What people do to runs by hand: markers of their own, places that they vouch for, and every edit, so that it
-- can be undone.

CREATE TABLE markers_new (
    recording_id TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    sync_id TEXT REFERENCES syncs (id),  -- NULL: a person's own
    name TEXT NOT NULL,
    colour TEXT NOT NULL,
    comment TEXT NOT NULL,
    t_ref_s REAL,                      -- on the trail's reference; NULL: it does not show the place
    t_s REAL,                          -- on the run; NULL: it does not show the place
    duration_s REAL NOT NULL,
    confidence REAL NOT NULL,
    expected_error_s REAL,
    needs_review INTEGER NOT NULL,
    reason TEXT NOT NULL,
    extra TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('found', 'accepted', 'corrected', 'rejected', 'added')),
    version INTEGER NOT NULL DEFAULT 1,
    own TEXT NOT NULL DEFAULT '[]',    -- JSON, what of it a person wrote: no sync writes that anew
    PRIMARY KEY (recording_id, id)
) STRICT, WITHOUT ROWID;
INSERT INTO markers_new SELECT *, '[]' FROM markers;
DROP TABLE markers;
ALTER TABLE markers_new RENAME TO markers;

-- Moments that a person saw to be at the same place.
CREATE TABLE anchors (
    recording_id TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    trail_id TEXT NOT NULL REFERENCES trails (id) ON DELETE CASCADE,
    id TEXT NOT NULL,                  -- the marker's whose place it is, or one of its own
    t_new_s REAL NOT NULL,
    t_ref_s REAL NOT NULL,
    is_of_marker INTEGER NOT NULL,
    PRIMARY KEY (recording_id, trail_id, id)
) STRICT, WITHOUT ROWID;

-- What a person changed, as it was before and after.
CREATE TABLE edits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    recording_id TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    what TEXT NOT NULL,
    changes TEXT NOT NULL,             -- JSON, see store.edits
    is_undone INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL
) STRICT;
CREATE INDEX edits_of_recording ON edits (recording_id, id DESC);

-- The folder of the map that counts, below the artifacts, where that is not the one that the sync found.
ALTER TABLE syncs ADD COLUMN map_folder TEXT;
