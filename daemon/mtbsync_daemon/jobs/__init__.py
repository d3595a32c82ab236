"""Work that is done apart from the daemon's own process."""
