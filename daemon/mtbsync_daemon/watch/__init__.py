"""Finding new footage: what lies in a folder, what has come to rest, and when to look again."""
