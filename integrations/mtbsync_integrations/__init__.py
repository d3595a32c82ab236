"""Every editor's language, both ways."""
