"""What this connector believes of Binance, asked of Binance: `python -m source_binance_futures.live`.

Looking and judging are apart. `observation` and `prices` connect as the connector does and collect facts; `judge` and
the beliefs are pure functions of those facts.
"""
