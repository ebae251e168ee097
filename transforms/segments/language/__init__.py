"""The rule language: text -> checked syntax tree (`ast.py`). Knows no events and no Beam."""
