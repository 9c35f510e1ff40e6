"""The demo: a scripted model on loopback and the example repository. Only the words are written in advance."""
