"""DataFlow Engine: read, profile, clean, split and encode tables."""
