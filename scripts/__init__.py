"""What the Makefile and the workflows need."""
