"""What tests of Tastemill, and of code built on it, can import."""
