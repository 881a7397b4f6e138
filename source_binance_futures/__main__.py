"""`python -m source_binance_futures`, the same as the console script."""

from .cli import run

if __name__ == "__main__":
    run()
