"""The parts of the report: what is measured, how it is drawn, the page."""
