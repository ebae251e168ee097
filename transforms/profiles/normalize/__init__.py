"""Well-known traits as typed columns, in whatever spelling they are sent."""
