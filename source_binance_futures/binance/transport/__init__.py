"""RFC 6455 and sockets: from an address to messages. Nothing of Binance."""
