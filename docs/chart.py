import sys

import duckdb
import matplotlib.pyplot as plt

file, picture = sys.argv[1:]  # market.duckdb chart.svg
market = duckdb.connect(file, read_only=True)
contract = "SELECT symbol FROM book_tickers GROUP BY symbol ORDER BY count(*) DESC, symbol LIMIT 1"
((symbol,),) = market.sql(contract).fetchall()
rows = market.sql(f"""
    SELECT received_at_us / 1e6, CAST(best_bid_price AS DOUBLE), CAST(best_ask_price AS DOUBLE)
    FROM book_tickers WHERE symbol = '{symbol}' ORDER BY u
""").fetchall()
covered = market.sql(f"""
    SELECT covered_since_us / 1e6, max(received_at_us) / 1e6 FROM book_tickers
    WHERE symbol = '{symbol}' AND covered_since_us IS NOT NULL GROUP BY covered_since_us
""").fetchall()

start = min(rows)[0]
times, bids, asks = zip(*rows, strict=True)
seconds = [time - start for time in times]
plt.figure(figsize=(8, 3.5), layout="constrained")
plt.step(seconds, asks, seconds, bids, where="post")
for since, until in covered:
    plt.axvspan(since - start, until - start, alpha=0.15, color="green")
plt.title(f"{symbol}: best ask and bid; shaded: nothing is missing")
plt.xlabel("seconds")
plt.savefig(picture)
