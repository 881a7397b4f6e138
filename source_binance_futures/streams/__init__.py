"""The two streams of the source: what Binance sends, as Airbyte's messages. Nothing here touches a socket."""
