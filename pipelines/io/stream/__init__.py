"""Any source without end as Beam reads it: restriction, watermark, acknowledgement."""
