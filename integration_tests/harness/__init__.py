"""What the integration tests are written with."""
