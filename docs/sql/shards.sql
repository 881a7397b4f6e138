-- The tables of two shards read as one. Each connection has a stream prefix of its own: btc_ and others_ here.
CREATE OR REPLACE VIEW book_tickers AS
SELECT * FROM btc_book_tickers
UNION ALL
SELECT * FROM others_book_tickers;
