# Written by mtbsync: `mtbsync resolve install` writes this file anew, `uninstall` removes it.
import sys

# The installer says where.
LIBRARY = ""
if LIBRARY not in sys.path:
    sys.path.insert(0, LIBRARY)

from mtbsync_resolve.actions import run

run("Build synced timeline", globals())
