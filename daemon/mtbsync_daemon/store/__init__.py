"""The library on disk: SQLite, one module for each kind of thing that is kept in it."""
