"""DaVinci Resolve: its script menu, and scripts for editions that run no Python."""
