"""What the accumulators say, on columns. A reducer without a form here is added up anew (any_order.py)."""
