"""The same decisions kept up to date while events arrive."""
