"""What is still due to the bucket: changes that a program was told of, and who makes them when."""
