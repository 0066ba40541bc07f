"""What a network confuses without the filters of a class (Sec. 4.2, Fig. 5)."""
