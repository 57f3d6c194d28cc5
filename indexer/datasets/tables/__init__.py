"""Tables of text or Parquet: their layout, their rows and the values of their fields."""
