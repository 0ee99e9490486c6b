"""Select the subscribers of a segment, and read the values of a letter's merge fields."""
