"""What runs a network, ONNX Runtime or PyTorch, and what has to be known about one to run it."""
