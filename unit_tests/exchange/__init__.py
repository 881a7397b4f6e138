"""The local exchange itself, seen by clients over real sockets: what other tests rely on must hold."""
