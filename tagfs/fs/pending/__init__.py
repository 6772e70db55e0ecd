"""What is still due to the bucket: what a program takes for made, and who makes it when."""
