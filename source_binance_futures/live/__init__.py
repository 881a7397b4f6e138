"""What this connector expects of Binance, asked of Binance: `python -m source_binance_futures.live`.

`probe` connects as the connector does and lets `stats` count; `expectations` judges what was counted, purely.
"""
