"""Events of a bounded job as Arrow columns: how they travel, and what is decided about all of them at once."""
