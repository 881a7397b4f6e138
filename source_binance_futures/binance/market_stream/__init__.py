"""The market stream: what is pushed, over connections that replace each other."""
