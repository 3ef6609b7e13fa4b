"""The interface of a penalty, and sums and multiples of penalties."""
