"""Everything that is known of Binance: where it is, what it sends, how its connections end. Nothing here imports Airbyte."""
