"""What a recording looks like over time, in a form that can be compared and kept."""
