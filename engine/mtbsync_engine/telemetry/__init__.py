"""GPS tracks on a recording's clock."""
