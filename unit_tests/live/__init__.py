"""What is believed of Binance, judged from facts, and how facts come about from frames."""
