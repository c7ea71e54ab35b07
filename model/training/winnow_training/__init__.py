"""Training and building of Winnow's model bundles."""
