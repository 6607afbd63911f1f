"""Where finished models are kept: the bundle format and, later, versions and stages."""
