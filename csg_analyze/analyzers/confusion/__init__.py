"""What a network confuses once the filters of a class are gone (Sec. 4.2, Fig. 5)."""
