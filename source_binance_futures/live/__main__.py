"""`python -m source_binance_futures.live --environment testnet --minutes 3`."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
