"""The vocabulary: each primitive declared once, and the NumPy surface over them."""
