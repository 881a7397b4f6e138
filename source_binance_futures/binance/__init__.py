"""All that is known of Binance: where it is, what it sends, how connections end. Nothing here imports Airbyte."""
