"""The WebSocket API: one request, its answer."""
