"""Reading what cameras write: files, pictures, times."""
