"""What this connector expects of Binance, asked of Binance: `probe` asks, `stats` counts, `expectations` judges."""
