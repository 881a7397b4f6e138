-- Take the views away, so that the tables below them can be dropped or replaced. Create them again afterwards.
DROP VIEW IF EXISTS quotes;
DROP VIEW IF EXISTS coverage;
DROP VIEW IF EXISTS all_book_tickers;
