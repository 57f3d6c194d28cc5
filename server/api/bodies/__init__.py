"""Bodies of requests about several people or many ratings."""
