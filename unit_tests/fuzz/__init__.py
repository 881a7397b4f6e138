"""Bytes from outside against each parser that meets them."""
